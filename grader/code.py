"""Which grader this is, to the byte: a result may be reused only by the code that made it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
SUFFIXES = {".py", ".json", ".toml", ".j2", ".css"}
MEASURING = (
    "archives", "artifacts", "dockerfile", "driver", "engines", "evaluator", "execution", "images", "probes",
    "workrooms", "executing.py", "modelling.py", "planning.py", "records.py", "running.py", "staging.py",
)  # fmt: skip


@cache
def code_digest(parts: tuple[str, ...] = ("",)) -> str:
    """A digest of the package's own files, or of the named parts of it (`MEASURING`: what a run measures with)."""
    total = hashlib.sha256()
    for part in parts:
        root = PACKAGE / part
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.suffix in SUFFIXES:
                total.update(f"{path.relative_to(PACKAGE)}\0".encode() + path.read_bytes())
    return "sha256:" + total.hexdigest()
