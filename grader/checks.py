"""What a lab author writes with: `check`, `Fail`, `Skip`, `Remark`, and in `inputs.py` `inputs` and `Request`,
`given` and `Given`, `feed` and `Feed`.

A check takes the evidence and returns nothing (full points), a share in 0..1, or a `Remark`;
it raises `Fail` or `Skip`. It never runs, opens or imports anything of the submission.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from grader.outcomes import refusal
from grader.records import Evidence, Json, Request, Section

__all__ = [
    "Check", "Fail", "Feed", "Given", "Inputs", "Remark", "Request", "Skip", "check", "feed", "given", "inputs",
    "usable",
]  # fmt: skip


class Fail(Exception):
    """The student's work falls short. `cause` names the sentence in `lab.toml`; `share` keeps some points."""

    def __init__(self, cause: str, *, share: float = 0.0, **facts: Json) -> None:
        super().__init__(cause)
        self.cause = cause
        self.share = share
        self.facts = facts


class Skip(Exception):
    """The item cannot be assessed on this machine; the mark becomes provisional."""

    def __init__(self, cause: str, **facts: Json) -> None:
        super().__init__(cause)
        self.cause = cause
        self.facts = facts


@dataclass(frozen=True)
class Given:
    """Files that an execution sees in {data}, by name; `truth` is plain data for the check alone."""

    files: Mapping[str, bytes]
    truth: Json = None


@dataclass(frozen=True)
class Feed:
    """Inputs of a model: numpy arrays by name, rows first; `truth` is plain data for the check alone.

    `forward` names a file of the lab, the code that runs a safetensors file's weights.
    """

    arrays: Mapping[str, Any]
    truth: Json = None
    forward: str | None = None


@dataclass(frozen=True)
class Remark:
    """Full points (or `share` of them) with a sentence beside: a hint, or a verdict left in the student's favour."""

    cause: str
    share: float = 1.0
    facts: dict[str, Json] = field(default_factory=dict)


Check = Callable[[Evidence], float | Remark | None]
Inputs = Callable[[Random], Sequence[Request]]
GivenMaker = Callable[[Random], Given]
FeedMaker = Callable[[Random, Path], Feed]


def check(item: str) -> Callable[[Check], Check]:
    """Mark a function as the judge of `item`; `grader.judging` collects the marked functions of a module."""

    def mark(function: Check) -> Check:
        function.judges = item  # type: ignore[attr-defined]
        return function

    return mark


def inputs(name: str) -> Callable[[Inputs], Inputs]:
    """Mark a function of `inputs.py` that makes the requests called `name`, from the chance that it is given alone."""

    def mark(function: Inputs) -> Inputs:
        function.makes = name  # type: ignore[attr-defined]
        return function

    return mark


def given(name: str) -> Callable[[GivenMaker], GivenMaker]:
    """Mark a function of `inputs.py` or `private/inputs.py` that makes the files called `name` from chance alone."""

    def mark(function: GivenMaker) -> GivenMaker:
        function.gives = name  # type: ignore[attr-defined]
        return function

    return mark


def feed(name: str) -> Callable[[FeedMaker], FeedMaker]:
    """Mark a function of `inputs.py` or `private/inputs.py` that makes the inputs called `name` of a model.

    It gets the chance and the folder labs/common.
    """

    def mark(function: FeedMaker) -> FeedMaker:
        function.feeds = name  # type: ignore[attr-defined]
        return function

    return mark


def usable(section: Section, run: str | None = None) -> None:
    """Pass over an execution that ended well (every cell ran, in order), or an artefact that is there and clean.

    With `run`, over an artefact whose run of that name answered. Else raise `Fail`, in words that every lab shares.
    """
    parts = ["file"] if run is not None or "file" in section else ["result"]
    parts += [run] if run is not None else ["cells"] if "cells" in section else []
    refused = refusal({part: section[part] for part in parts})
    if refused is not None:
        cause, facts = refused
        raise Fail(cause, **facts)
