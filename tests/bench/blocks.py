"""Campaigns of many small trials: stored in blocks, so that a stopped one goes on where it was."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tests.bench.common import Results, Row

SHOWN = 20


def trials(doc: str | None, default: int) -> int:
    """How many trials the caller wants; `--repetitions`, as in every bench."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--repetitions", type=int, default=default)
    return int(parser.parse_args().repetitions)


def in_blocks(results: Results, count: int, size: int, measure: Callable[[int, int], Row]) -> list[Row]:
    """The rows of all blocks up to `count` trials, those measured first that are missing."""
    rows = []
    for first in range(0, count, size):
        length = min(size, count - first)
        rows.append(results.once(partial(measure, first, length), first=first, count=length))
    return rows


def added(rows: Sequence[Row], name: str) -> Counter[str]:
    """The counts of all blocks under one name, added up."""
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row[name])
    return total


def listed(rows: Sequence[Row], name: str) -> list[Any]:
    """The entries of all blocks under one name, as many as anybody will read."""
    return [entry for row in rows for entry in row[name]][:SHOWN]
