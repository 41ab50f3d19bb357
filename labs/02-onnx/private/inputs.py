"""The hidden flights of lab 02: of July and August, and in no file that students have."""

from __future__ import annotations

import runpy
from pathlib import Path
from random import Random
from types import SimpleNamespace

from grader.checks import Feed, feed

HERE = Path(__file__).parent
public = SimpleNamespace(**runpy.run_path(str(HERE.parent / "inputs.py")))
ROWS = 1500


@feed("hidden_flights")
def hidden_flights(chance: Random, common: Path) -> Feed:
    """Some of the flights held back, in no order."""
    rows = public.rows_of(HERE / "flights.csv.gz", {"7", "8"}, 10**6)
    chance.shuffle(rows)
    return public.flights(rows[:ROWS])
