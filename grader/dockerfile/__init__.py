"""Understand a student's Dockerfile without an engine: read it, check it, write the one that is built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from grader.dockerfile import emit as emitting
from grader.dockerfile import ignore, policy, scope
from grader.dockerfile.declared import exposed_ports, volume_paths
from grader.dockerfile.emit import RESERVED, Emitted
from grader.dockerfile.parse import parse
from grader.dockerfile.sources import archives_among, matching, plain
from grader.dockerfile.tree import Dockerfile, Instruction
from grader.errors import SubmissionError
from grader.records import DockerfileFacts, Stage, Staged
from grader.records import Instruction as InstructionFacts

__all__ = [
    "Dockerfile",
    "Emitted",
    "check_policy",
    "emit",
    "exposed_ports",
    "facts",
    "kept_decoys",
    "kept_files",
    "read_dockerfile",
    "volume_paths",
]

# The builder's documented rule: the first that is there. `Containerfile` belongs to other tools.
NAMES = ("Dockerfile", "dockerfile")
DOCKERFILE_BYTES = 65_536
IGNORE_BYTES = 65_536


def read_dockerfile(staged: Staged) -> Dockerfile | None:
    """Give the parsed Dockerfile; None where there is none, or none with an instruction."""
    path = _candidate(staged)
    if path is None:
        return None
    if next(file.size for file in staged.files if file.path == path) > DOCKERFILE_BYTES:
        raise SubmissionError("dockerfile_size", limit=DOCKERFILE_BYTES)
    parsed = parse(Path(staged.root, path).read_bytes())
    if not parsed.instructions:
        return None
    policy.check_numbers(parsed)
    dockerfile = Dockerfile(path, parsed, kept_files(staged))
    named = _added(dockerfile)
    return replace(dockerfile, archives=archives_among(Path(staged.root), named)) if named else dockerfile


def check_policy(dockerfile: Dockerfile) -> None:
    """Raise the first rule that the Dockerfile breaks, with its line and what is allowed."""
    policy.check_policy(dockerfile)


def emit(dockerfile: Dockerfile, base_image_id: str) -> Emitted:
    """Give the Dockerfile for the engine, over the base image with this id; its policy is checked again."""
    return emitting.emit(dockerfile, policy.check_policy(dockerfile), base_image_id)


def facts(dockerfile: Dockerfile) -> DockerfileFacts:
    """Give what a check may want to know of the Dockerfile as the student wrote it."""
    stages = tuple(
        Stage(line=stage.line, base=stage.base, name=stage.name, earlier=stage.parent is not None)
        for stage in scope.resolve(dockerfile.parsed)
    )
    instructions = tuple(
        InstructionFacts(line=each.line, keyword=each.keyword, text=_text(each))
        for each in dockerfile.parsed.instructions
    )
    return DockerfileFacts(path=dockerfile.path, stages=stages, instructions=instructions)


def kept_files(staged: Staged) -> tuple[str, ...]:
    """Give the staged files that the student's ignore file sends to the builder."""
    paths = (file.path for file in staged.files if not file.path.startswith(RESERVED))
    return ignore.kept(_ignore_text(staged), paths)


def kept_decoys(staged: Staged, decoys: Iterable[str]) -> tuple[str, ...]:
    """Give the paths that the student's ignore file would send, were they there."""
    return ignore.kept(_ignore_text(staged), decoys)


def _candidate(staged: Staged) -> str | None:
    paths = {file.path for file in staged.files}
    folders = {file.path.split("/")[0] for file in staged.files if "/" in file.path}
    found = [name for name in NAMES if name in paths]
    if len(found) > 1:
        raise SubmissionError("candidates", names=", ".join(found))
    for name in NAMES:
        if name in folders:
            raise SubmissionError("dockerfile_special", path=name)
    return found[0] if found else None


def _ignore_text(staged: Staged) -> str:
    """Give the text of the ignore file that counts: the one named after the Dockerfile, else the general one."""
    path = _candidate(staged) or NAMES[0]
    sizes = {file.path: file.size for file in staged.files}
    for name in (f"{path}.dockerignore", ".dockerignore"):
        if name in sizes:
            if sizes[name] > IGNORE_BYTES:
                raise SubmissionError("ignore_size", limit=ignore.PATTERNS)
            return Path(staged.root, name).read_bytes().decode("utf-8", "replace")
    return ""


def _added(dockerfile: Dockerfile) -> tuple[str, ...]:
    """Give the files that some ADD names, as far as its words are known."""
    named: set[str] = set()
    for stage in scope.resolve(dockerfile.parsed):
        for step in stage.steps:
            if step.instruction.keyword == "ADD":
                for text in step.instruction.words[:-1]:
                    source = scope.word(text, step.state, step.instruction, dockerfile.parsed.escape)
                    named.update(matching(plain(source), dockerfile.context))
    return tuple(sorted(named))


def _text(instruction: Instruction) -> str:
    """Give the arguments as one text: flags in front, inline texts behind."""
    flags = "".join(f"--{name}={value} " for name, value in instruction.flags)
    return flags + instruction.text + "".join(f"\n{each.body}{each.name}" for each in instruction.heredocs)
