"""The public inputs of lab 03: the held-out digits, in a new order at every run."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np

from grader.checks import Feed, feed

FORWARD = "forward.py"


def read_digits(common: Path) -> dict[str, np.ndarray]:
    """`images` uint8 [N, 28, 28], `labels` and `split` uint8 [N] of the course's digits."""
    content = (common / "digits.safetensors").read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    return {
        name: np.frombuffer(content[start + begin : start + end], np.uint8).reshape(entry["shape"])
        for name, entry in json.loads(content[8:start]).items()
        for begin, end in [entry["data_offsets"]]
    }


@feed("held_out")
def held_out(chance: Random, common: Path) -> Feed:
    """All 360 held-out digits. How many of them the fp32 networks read is on record, so no fp32 network is run."""
    digits = read_digits(common)
    rows = [row for row, split in enumerate(digits["split"]) if split == 1]
    chance.shuffle(rows)
    record = json.loads((common / "models" / "models.json").read_text(encoding="utf-8"))
    right = {name: record[name]["held_out_correct"] for name in ("cnn384", "fast", "mlp")}
    truth = {"labels": digits["labels"][rows].tolist(), "fp32_right": right}
    return Feed({"image": digits["images"][rows]}, truth, FORWARD)
