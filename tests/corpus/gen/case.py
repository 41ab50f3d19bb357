"""A case as a value, and how it comes to lie in a folder."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

STAGING_SECONDS, BUILD_SECONDS, LAB_SECONDS, NOTEBOOK_SECONDS = 10, 60, 120, 110


@dataclass(frozen=True)
class Setting:
    """What a case is made from: the harness's parameters and its own source of chance."""

    params: Mapping[str, str]
    random: random.Random

    def about(self, value: float) -> float:
        """Give the value, or up to 20 % more or less."""
        return value * self.random.uniform(0.8, 1.2)

    def whole(self, value: int) -> int:
        """Give the same as a whole number."""
        return round(self.about(value))


@dataclass(frozen=True)
class Folder:
    """A submission as a folder: the content of each path, and the paths that are FIFOs."""

    files: Mapping[str, bytes]
    fifos: tuple[str, ...] = ()


@dataclass(frozen=True)
class Archive:
    """A submission as one file, byte for byte."""

    suffix: str
    data: bytes


Submission = Folder | Archive


@dataclass(frozen=True)
class Expect:
    """The verdict that a case must come to."""

    classes: tuple[str, ...]
    rules: tuple[str, ...] = ()
    exact: int | None = None
    most: int | None = None
    items: Mapping[str, int] = field(default_factory=dict)
    also: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """Submissions that must each come to the same verdict within `bound` seconds."""

    honest: int
    bound: int
    expect: Expect
    submissions: tuple[Submission, ...]
    lab: str = "H"


Maker = Callable[[Setting], Case]


def rejected(kind: str, *rules: str, **also: float) -> Expect:
    """Expect a refusal, at `STAGE` or by `POLICY`, for any of these rules."""
    return Expect((f"REJECT_{kind}",), rules, exact=0, also=also)


def graded(most: int, *others: str, items: Mapping[str, int], **also: float) -> Expect:
    """Expect a grading, or one of the other classes, that gives at most so many points."""
    return Expect(("GRADED", *others), most=most, items=items, also=also)


FULL_MARKS = Expect(("GRADED",), exact=100)


def valid(*submissions: Submission, lab: str = "H") -> Case:
    """Give the case of an odd submission that earns everything."""
    return Case(100, LAB_SECONDS if lab == "H" else NOTEBOOK_SECONDS, FULL_MARKS, submissions, lab)


def write(case: Case, case_id: str, group: str, out_dir: Path) -> Path:
    """Put the submissions and `case.json` into a folder; give the path of the latter."""
    out_dir.mkdir(parents=True, exist_ok=True)
    names = [_put(out_dir, submission, _stem(case, at)) for at, submission in enumerate(case.submissions, 1)]
    expect = case.expect
    facts = {
        "id": case_id,
        "group": group,
        "kind": "valid" if group == "V" else "hostile",
        "split": "public",
        "lab": case.lab,
        "honest": case.honest,
        "bound": case.bound,
        "submissions": names,
        "expect": {
            "classes": list(expect.classes),
            "rules": list(expect.rules),
            "score": {"max": expect.most} if expect.exact is None else {"exact": expect.exact},
            "items": dict(expect.items),
            "also": dict(expect.also),
        },
    }
    path = out_dir / "case.json"
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return path


def _stem(case: Case, at: int) -> str:
    return "submission" if len(case.submissions) == 1 else f"submission-{at}"


def _put(out_dir: Path, submission: Submission, stem: str) -> str:
    if isinstance(submission, Archive):
        (out_dir / (stem + submission.suffix)).write_bytes(submission.data)
        return stem + submission.suffix
    for name, content in submission.files.items():
        path = out_dir / stem / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for name in submission.fifos:
        os.mkfifo(out_dir / stem / name)
    return stem
