"""What a Dockerfile may ask for; each refusal names the student's line and what is allowed instead."""

from __future__ import annotations

import posixpath
import re

from grader.dockerfile import scope
from grader.dockerfile.mounts import mounts
from grader.dockerfile.scope import StageScope, Step
from grader.dockerfile.sources import matching
from grader.dockerfile.tree import Dockerfile, Parsed
from grader.errors import SubmissionError, Unsupported

INSTRUCTIONS = 100
STAGES = 8
SOURCES = 50
ALLOWED_BASES = "python:*"
_BASE = re.compile(
    r"(?:(?:(?:index\.)?docker\.io/)?library/|(?:index\.)?docker\.io/)?python"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_FRONTEND = re.compile(r"(?:docker\.io/)?docker/dockerfile(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?")
_REMOTE = re.compile(r"(?i)[a-z][a-z0-9+.-]*://|git@|github\.com/|git://")
_ARCHIVE = re.compile(r"(?i)\.(?:tar(?:\.(?:gz|bz2|xz|zst|lzma))?|t[gbx]z2?|tzst)$")
_KERNEL = ("/proc", "/sys", "/dev")


def check_numbers(parsed: Parsed) -> None:
    """Refuse a Dockerfile with too much in it, before more work goes into it."""
    count = 0
    for instruction in parsed.instructions:
        # One ARG may declare many; each becomes a step of its own.
        count += len(instruction.words) if instruction.keyword == "ARG" else 1
        if count > INSTRUCTIONS:
            raise SubmissionError("instructions", line=instruction.line, limit=INSTRUCTIONS)
    starts = [instruction for instruction in parsed.instructions if instruction.keyword == "FROM"]
    if len(starts) > STAGES:
        raise SubmissionError("stages", line=starts[STAGES].line, count=len(starts), limit=STAGES)
    for instruction in parsed.instructions:
        if instruction.keyword in ("COPY", "ADD") and len(instruction.words) > SOURCES:
            raise Unsupported("dockerfile_feature", line=instruction.line, feature=f"{instruction.keyword} > {SOURCES}")


def check_policy(dockerfile: Dockerfile) -> tuple[StageScope, ...]:
    """Give the resolved stages of a Dockerfile that keeps every rule."""
    parsed = dockerfile.parsed
    if parsed.syntax and not _FRONTEND.fullmatch(parsed.syntax[1]):
        raise SubmissionError("syntax", line=parsed.syntax[0], frontend=parsed.syntax[1][:200])
    check_numbers(parsed)
    for instruction in parsed.instructions:
        if instruction.keyword == "ONBUILD":
            raise SubmissionError("onbuild", line=instruction.line)
    stages = scope.resolve(parsed)
    for stage in stages:
        if stage.parent is None and not _BASE.fullmatch(stage.base):
            raise SubmissionError("base", line=stage.line, base=stage.base[:200], allowed=ALLOWED_BASES)
        for step in stage.steps:
            _check(step, stages[: stage.number], dockerfile)
    return stages


def _check(step: Step, earlier: tuple[StageScope, ...], dockerfile: Dockerfile) -> None:
    keyword = step.instruction.keyword
    if keyword in ("COPY", "ADD"):
        _check_from(step, earlier)
    if keyword == "ADD":
        _check_add(step, dockerfile)
    elif keyword == "RUN":
        _check_run(step, earlier)
    elif keyword == "WORKDIR":
        path = scope.known(step.instruction.text, step.state, step.instruction, dockerfile.parsed.escape)
        _check_path("workdir", step, posixpath.join(step.state.workdir, path))
    elif keyword == "VOLUME":
        for text in step.instruction.words:
            path = scope.word(text, step.state, step.instruction, dockerfile.parsed.escape)
            _check_path("volume", step, posixpath.join("/", path))


def _check_path(code: str, step: Step, path: str) -> None:
    normal = "/" + posixpath.normpath(path).lstrip("/")
    if any(normal == folder or normal.startswith(folder + "/") for folder in _KERNEL):
        raise SubmissionError(code, line=step.instruction.line, path=normal[:200])


def _check_from(step: Step, earlier: tuple[StageScope, ...]) -> None:
    source = step.instruction.flag("from")
    if source is not None and scope.find_stage(source, earlier) is None:
        names = ", ".join(stage.name or str(stage.number) for stage in earlier) or "-"
        raise SubmissionError("from", line=step.instruction.line, source=source[:200], stages=names[:200])


def _check_add(step: Step, dockerfile: Dockerfile) -> None:
    instruction, escape = step.instruction, dockerfile.parsed.escape
    unpack = (instruction.flag("unpack") or "false").lower() == "true"
    for text in instruction.words[:-1]:
        source = scope.word(text, step.state, instruction, escape)
        found = matching(source, dockerfile.context)
        archive = any(path in dockerfile.archives for path in found)
        if unpack or _REMOTE.match(source) or archive or (not found and _ARCHIVE.search(source)):
            raise SubmissionError("add", line=instruction.line, source=source[:200])


def _check_run(step: Step, earlier: tuple[StageScope, ...]) -> None:
    instruction = step.instruction
    for mount in mounts(instruction):
        foreign = mount.stage is not None and scope.find_stage(mount.stage, earlier) is None
        if mount.kind not in ("cache", "tmpfs", "bind") or foreign:
            raise SubmissionError("mount", line=instruction.line, mount=mount.text[:200])
    network = (instruction.flag("network") or "none").lower()
    if network not in ("none", "default"):
        raise SubmissionError("network", line=instruction.line, network=network[:200])
    security = (instruction.flag("security") or "sandbox").lower()
    if security != "sandbox" or instruction.flag("device") is not None:
        raise SubmissionError("security", line=instruction.line)
