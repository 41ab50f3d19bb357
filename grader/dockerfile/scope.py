"""What each instruction sees: its stage, the variables, the working folder, shell and user at that point."""

from __future__ import annotations

import platform
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from grader.dockerfile.expand import UNKNOWN, BadWord, TooLong, UnknownValue, expand
from grader.dockerfile.tree import Instruction, Parsed
from grader.errors import SubmissionError, Unsupported

_VARIABLES = 1 << 16
_SHELL = ("/bin/sh", "-c")
# What the base sets: their values are the engine's business, their length is not.
_BASE = {"PATH": UNKNOWN * 64, "LANG": UNKNOWN * 8}
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class State:
    """What holds at one point of a stage."""

    env: Mapping[str, str]
    args: Mapping[str, str]
    workdir: str = "/"
    shell: tuple[str, ...] = _SHELL
    user: str = ""

    @cached_property
    def values(self) -> dict[str, str]:
        return {**self.args, **self.env}


@dataclass(frozen=True)
class Step:
    """An instruction with what held before it."""

    instruction: Instruction
    state: State


@dataclass(frozen=True)
class StageScope:
    """One `FROM` with its steps; `parent` is the number of the earlier stage that it builds on."""

    number: int
    line: int
    base: str
    name: str | None
    parent: int | None
    steps: tuple[Step, ...]
    inherited: Mapping[str, str]
    last: State


def resolve(parsed: Parsed) -> tuple[StageScope, ...]:
    """Give the stages with all that can be known without an engine, default values only."""
    platforms = _platforms()
    shared: dict[str, str] = {}
    stages: list[StageScope] = []
    chunks = _split(parsed.instructions)
    for instruction in chunks[0]:
        for name, value in _arguments(instruction, {**platforms, **shared}, parsed.escape):
            if value is not None:
                shared[name] = value
    for chunk in chunks[1:]:
        stages.append(_stage(chunk, stages, {**platforms, **shared}, parsed.escape))
    return tuple(stages)


def word(text: str, state: State, instruction: Instruction, escape: str) -> str:
    """Give a word with its variables replaced, as far as they are known; the unknown stay marked."""
    return _expand(text, state.values, instruction, escape)


def known(text: str, state: State, instruction: Instruction, escape: str) -> str:
    """Give a word all of whose variables are known; a person looks where one is not."""
    value = word(text, state, instruction, escape)
    if UNKNOWN in value:
        raise Unsupported("dockerfile_feature", line=instruction.line, feature=text[:200])
    return value


def find_stage(reference: str, stages: tuple[StageScope, ...] | list[StageScope]) -> int | None:
    """Give the number of the stage that a name or an index means, the latest of that name."""
    for stage in reversed(stages):
        if stage.name == reference.lower():
            return stage.number
    if reference.isascii() and reference.isdigit() and len(reference) < 6 and int(reference) < len(stages):
        return int(reference)
    return None


def _split(instructions: tuple[Instruction, ...]) -> list[list[Instruction]]:
    chunks: list[list[Instruction]] = [[]]
    for instruction in instructions:
        if instruction.keyword == "FROM":
            chunks.append([])
        chunks[-1].append(instruction)
    return chunks


def _stage(chunk: list[Instruction], before: list[StageScope], shared: Mapping[str, str], escape: str) -> StageScope:
    start = chunk[0]
    base = _expand(start.words[0], shared, start, escape)
    parent = next((stage for stage in reversed(before) if stage.name == base.lower()), None)
    state = parent.last if parent else State(_BASE, {})
    inherited = state.args
    steps = []
    for instruction in chunk[1:]:
        steps.append(Step(instruction, state))
        state = _after(instruction, state, shared, escape)
    name = start.words[2].lower() if len(start.words) == 3 else None
    number = parent.number if parent else None
    return StageScope(len(before), start.line, base, name, number, tuple(steps), inherited, state)


def _after(instruction: Instruction, state: State, shared: Mapping[str, str], escape: str) -> State:
    keyword = instruction.keyword
    if keyword == "ENV":
        return replace(state, env=_bounded({**state.env, **_environment(instruction, state, escape)}, instruction))
    if keyword == "ARG":
        new = dict(state.args)
        for name, value in _arguments(instruction, state.values, escape):
            if value is not None:
                new[name] = value
            elif name in shared:
                new[name] = shared[name]
        return replace(state, args=_bounded(new, instruction))
    if keyword == "WORKDIR":
        path = posixpath.join(state.workdir, word(instruction.text, state, instruction, escape))
        return replace(state, workdir="/" + posixpath.normpath(path).lstrip("/"))
    if keyword == "USER":
        return replace(state, user=word(instruction.text, state, instruction, escape))
    if keyword == "SHELL":
        return replace(state, shell=instruction.words)
    return state


def _bounded(values: dict[str, str], instruction: Instruction) -> dict[str, str]:
    """Refuse more variables than an image may hold: each layer of the engine carries them along."""
    if sum(len(name) + len(value) for name, value in values.items()) > _VARIABLES:
        raise _too_long(instruction)
    return values


def _too_long(instruction: Instruction) -> SubmissionError:
    return SubmissionError("variable", line=instruction.line, text=instruction.text[:200])


def _environment(instruction: Instruction, state: State, escape: str) -> dict[str, str]:
    values, size = {}, 0
    for pair in instruction.words:
        name, _, value = pair.partition("=")
        new = word(value, state, instruction, escape)
        values[word(name, state, instruction, escape)] = new
        size += len(new)
        if size > _VARIABLES:
            raise _too_long(instruction)
    return values


def _arguments(instruction: Instruction, values: Mapping[str, str], escape: str) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    size = 0
    for pair in instruction.words:
        name, equals, value = pair.partition("=")
        found.append((name, _expand(value, values, instruction, escape) if equals else None))
        size += len(found[-1][1] or "")
        if size > _VARIABLES:
            raise _too_long(instruction)
    return found


def _expand(text: str, values: Mapping[str, str], instruction: Instruction, escape: str) -> str:
    try:
        return expand(text, values, escape)
    except BadWord:
        raise SubmissionError("dockerfile_syntax", line=instruction.line, text=text[:200]) from None
    except UnknownValue:
        raise Unsupported("dockerfile_feature", line=instruction.line, feature=text[:200]) from None
    except (TooLong, RecursionError):
        raise _too_long(instruction) from None


def _platforms() -> dict[str, str]:
    machine = platform.machine()
    architecture = _MACHINES.get(machine, machine)
    values: dict[str, str] = {}
    for side in ("BUILD", "TARGET"):
        values |= {f"{side}PLATFORM": f"linux/{architecture}", f"{side}OS": "linux", f"{side}ARCH": architecture}
    return values
