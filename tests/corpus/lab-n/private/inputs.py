"""The training rows that a notebook sees, and the hidden ones that its model is asked about."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np

from grader.checks import Feed, Given, feed, given

TRAINING, HIDDEN = 500, 2_000
WEIGHTS = (3.0, -2.0, 1.0)
NOISE = 0.1


@given("train")
def train(chance: Random) -> Given:
    rows = [_row(chance) for _ in range(TRAINING)]
    lines = ["x0,x1,x2,y", *(",".join(f"{value:.6f}" for value in row) for row in rows)]
    return Given(files={"train.csv": "\n".join(lines).encode() + b"\n"})


@feed("rows")
def hidden(chance: Random, common: Path) -> Feed:
    rows = [_row(chance) for _ in range(HIDDEN)]
    return Feed(arrays={"x": np.array([row[:3] for row in rows], dtype=np.float32)}, truth=[row[3] for row in rows])


def _row(chance: Random) -> tuple[float, float, float, float]:
    x = [chance.gauss(0, 1) for _ in range(3)]
    return (*x, sum(weight * value for weight, value in zip(WEIGHTS, x, strict=True)) + chance.gauss(0, NOISE))
