"""The hidden inputs of lab 03: digits that nobody has seen, distorted as other hands would write them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np

from grader.checks import Feed, feed

POOL = Path(__file__).with_name("pool.npz")


@feed("other_hands")
def other_hands(chance: Random, common: Path) -> Feed:
    """The whole pool in a new order, so that no draw decides a mark, with how much of it each fp32 network reads."""
    with np.load(POOL) as pool:
        labels = pool["labels"]
        rows = chance.sample(range(len(labels)), len(labels))
        right = {name: int((pool[name] == labels).sum()) for name in ("cnn384", "fast", "mlp")}
        return Feed(
            {"image": pool["images"][rows]}, {"labels": labels[rows].tolist(), "fp32_right": right}, "forward.py"
        )
