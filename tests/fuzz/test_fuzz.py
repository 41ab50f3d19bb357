"""Escapes, crashes, hangs and forged views, looked for in a few hundred trials; `make bench` runs thousands."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from . import oracle
from .asking import Bench
from .views import trial as read_trial

ROOT = Path(__file__).resolve().parents[2]
ARCHIVES, ANSWERS, STRINGS, FILES, ARTEFACTS = 300, 280, 200, 60, 500


def wrong(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with a fault; how long one took is for the campaigns to judge, on a machine that does nothing else."""
    return [row for row in rows if any(not fault.startswith("slow") for fault in row["faults"])]


def test_hostile_archives_stay_inside_and_in_bounds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.unpacking", "0", str(ARCHIVES), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == ARCHIVES
    assert wrong(rows) == []
    assert {"staged", "path", "link", "headers", "corrupt", "size"} <= {row["code"] for row in rows}


def test_broken_artefacts_are_answered_and_never_taken_for_whole(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    command = [sys.executable, "-m", "tests.fuzz.examining", "0", str(ARTEFACTS), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    *rows, _ = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == ARTEFACTS
    assert wrong(rows) == []
    assert {"taken", "found", "format", "data", "not_a_notebook"} <= {row["code"] for row in rows}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with closing(Bench()) as made:
        yield made


@pytest.mark.parametrize("first", range(0, ANSWERS, ANSWERS // 4))
def test_malformed_answers_are_read_in_time_and_never_taken_for_strict(bench: Bench, first: int) -> None:
    rows = [bench.trial(number) for number in range(first, first + ANSWERS // 4)]
    assert [row for row in rows if row["faults"]] == []


def test_hostile_strings_are_inert_in_every_view() -> None:
    rows = [read_trial(number) for number in range(STRINGS)]
    assert [row for row in rows if row["faults"]] == []


@pytest.mark.engine
def test_an_engine_uses_the_images_that_the_policy_saw() -> None:
    pytest.importorskip("docker")
    from tests.bench import second
    from tests.bench.fuzz_dockerfiles import compare, stand

    if not second.possible():
        pytest.skip("a second engine takes root and dockerd")
    with stand() as place:
        row = compare(place, 0, FILES)
    assert row["faulty"] == []
    assert row["compared"]["original"] > 5


@pytest.mark.parametrize(
    ("raw", "ended", "found"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", False, (200, {}, b"")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}x", False, (200, {}, b"x")),
        (b"HTTP/1.0 422 No\r\n\r\n[1.5]", True, (422, [1.5], b"")),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n7\r\n0\r\n\r\n", True, (200, 7, b"")),
        (b'HTTP/1.1 200 OK\r\n\r\n{"a": 1, "a": 2}', True, (200, None, b"")),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", False, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", True, None),
        (b"HTTP/2 200 OK\r\n\r\n{}", True, None),
    ],
)
def test_the_second_reading_itself_reads(raw: bytes, ended: bool, found: tuple[int, object, bytes] | None) -> None:
    """The measure of the others: what it takes for whole must be whole."""
    if found is None:
        with pytest.raises(oracle.NotWhole):
            oracle.read(raw, ended)
    else:
        assert oracle.read(raw, ended) == oracle.Answer(*found)
