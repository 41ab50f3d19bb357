"""The `--mount` flags of a RUN."""

from __future__ import annotations

from dataclasses import dataclass

from grader.dockerfile.tree import Instruction
from grader.errors import SubmissionError


@dataclass(frozen=True)
class Mount:
    text: str
    kind: str
    stage: str | None
    source: str
    target: str


def mounts(instruction: Instruction) -> tuple[Mount, ...]:
    """Give the mounts of an instruction in order."""
    return tuple(_mount(instruction, value) for name, value in instruction.flags if name == "mount")


def _mount(instruction: Instruction, text: str) -> Mount:
    options: dict[str, str] = {}
    for field in text.split(","):
        key, _, value = field.partition("=")
        options[key.strip().lower()] = value
    target = options.get("target") or options.get("dst") or options.get("destination") or ""
    kind = options.get("type", "bind").lower()
    if not target and kind in ("bind", "cache", "tmpfs"):
        raise SubmissionError("dockerfile_syntax", line=instruction.line, text=f"--mount={text}"[:200])
    return Mount(text, kind, options.get("from"), options.get("source") or options.get("src") or "", target)
