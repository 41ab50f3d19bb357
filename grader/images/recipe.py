"""What the course base is made from, and the tag that says so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

Progress = Callable[[str], None]

DOCKER_FOLDER = Path(__file__).resolve().parents[2] / "docker"
BASE_FOLDER = DOCKER_FOLDER / "base"
BASE_TAG = "grader/base:3.11"


def recipe_tag() -> str:
    """The base's tag with a digest of docker/base/: a changed wheel list or script asks for a new base."""
    digest = hashlib.sha256()
    for path in sorted(BASE_FOLDER.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{BASE_TAG}-{digest.hexdigest()[:12]}"
