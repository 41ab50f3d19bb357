"""A local room that counts its jobs, and the small lab 92-books graded in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader.lab import load_lab
from grader.pipeline import Graded, Options, Site, grade
from grader.records import ReportItem, Submission
from grader.store import Store
from grader.workrooms import Done, Job, Workroom
from grader.workrooms.local import LocalRoom

from ..books import hand_in

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "tests" / "fixtures" / "labs" / "92-books"
Give = Callable[..., Graded]


class Counting:
    """A room that counts its jobs, and may add to their environment."""

    def __init__(self, room: Workroom) -> None:
        self._room = room
        self.label, self.boundary, self.identity = room.label, room.boundary, room.identity
        self.jobs: list[Job] = []
        self.sent: list[bytes] = []
        self.env: dict[str, str] = {}

    def do(self, job: Job, keep: Path) -> Done:
        self.jobs.append(job)
        contents = [content for files in job.files.values() for content in files.values()]
        self.sent += [one if isinstance(one, bytes) else one.read_bytes() for one in contents]
        self.sent.append(job.request or b"")
        return self._room.do(replace(job, env=dict(job.env) | self.env), keep)

    def close(self) -> None:
        self._room.close()

    def __enter__(self) -> Counting:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Counting]:
    with Counting(LocalRoom(tmp_path / "rooms", ROOT / ".cache")) as counting:
        yield counting


@pytest.fixture
def site(tmp_path: Path, room: Counting) -> Site:
    return Site(ROOT, tmp_path / "cache", Store(tmp_path / "runs"), None, None, lambda step, detail: None, room)


@pytest.fixture
def give(tmp_path: Path, site: Site) -> Give:
    def graded(notebook: bytes | None, exercise: str | None = "E1", tool: str = "print(42)\n") -> Graded:
        folder = hand_in(tmp_path / "submission", notebook, tool)
        return grade(load_lab(LAB), Submission(source=str(folder)), site, Options(seed=1, exercise=exercise))

    return graded


def items(graded: Graded) -> dict[str, ReportItem]:
    return {item.id: item for item in graded.report.items}


def section(graded: Graded, name: str) -> dict[str, Any]:
    return graded.run.read_evidence().sections[name]
