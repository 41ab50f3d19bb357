"""What lab 02's models are asked, drawn anew at each run: digits, and the flights of July."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.checks import Feed, feed

Tensors = dict[str, NDArray[Any]]
HELD_OUT = 1
DIGITS = 48
JULY_ROWS = 2000
NUMBERS = (
    "sched_dep", "weekday", "distance", "plane_year", "seats",
    "temp", "humid", "wind_speed", "precip", "pressure", "visib",
)  # fmt: skip
TEXTS = ("carrier", "origin", "dest")
# The layers of the course's DigitCNN by their place in the file of weights; P is a pooling.
CONVOLUTIONS = (1, "P", 5, 8, "P", 12, 15)
LAST = 21


@feed("digits")
def digits(chance: Random, common: Path) -> Feed:
    """Held-out digits, moved, dimmed and dirtied, with the answer of the course's weights to each of them."""
    tensors = safetensors(common / "digits.safetensors")
    held_out = tensors["images"][tensors["split"] == HELD_OUT]
    noise = np.random.default_rng(chance.getrandbits(64))
    images = held_out[noise.choice(len(held_out), DIGITS, replace=False)].astype(np.float64)
    for at, image in enumerate(images):
        images[at] = np.roll(image, noise.integers(-2, 3, 2), axis=(0, 1)) * noise.uniform(0.7, 1)
    images += noise.normal(0, 6, images.shape)
    pixels = images.clip(0, 255).round().astype(np.uint8)
    answers = probabilities(safetensors(common / "models" / "fast.safetensors"), pixels)
    return Feed({"image": pixels}, {"labels": answers.argmax(1).tolist(), "probabilities": answers.tolist()})


@feed("july")
def july(chance: Random, common: Path) -> Feed:
    """The first flights of July, which the student has too, in the order of the file."""
    return flights(rows_of(common / "flights.csv.gz", {"7"}, JULY_ROWS))


def flights(rows: list[dict[str, str]]) -> Feed:
    """Rows of a table as the pipeline's columns; what is unknown is NaN. `truth` says which flights came late."""
    numbers = {name: np.array([[float(row[name] or "nan")] for row in rows], np.float32) for name in NUMBERS}
    texts = {name: np.array([[row[name]] for row in rows], object) for name in TEXTS}
    return Feed(numbers | texts, {"late": [int(row["arr_delay"]) > 15 for row in rows]})


def rows_of(file: Path, months: set[str], most: int) -> list[dict[str, str]]:
    """The first flights of these months."""
    found: list[dict[str, str]] = []
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["month"] in months:
                found.append(row)
                if len(found) == most:
                    break
    return found


def probabilities(weights: Tensors, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the network answers to uint8 images [N, 28, 28], in double precision: [N, 10]."""
    return forward(weights, (pixels / 255 - 0.15) / 0.30)


def forward(weights: Tensors, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The network after its normalisation: values [N, 28, 28] in, probabilities [N, 10] out."""
    values = values[:, None]
    for layer in CONVOLUTIONS:
        if isinstance(layer, int):
            values = _convolution(weights, layer, values)
        else:
            many, channels, height, width = values.shape
            values = values.reshape(many, channels, height // 2, 2, width // 2, 2).max((3, 5))
    scores = values.mean((2, 3)) @ weights[f"{LAST}.weight"].T.astype(np.float64) + weights[f"{LAST}.bias"]
    shares: NDArray[np.float64] = np.exp(scores - scores.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    return shares


def _convolution(weights: Tensors, layer: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """3x3 convolution with a margin, batch normalisation, ReLU."""
    padded = np.pad(values, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    found = np.einsum("nchwij,ocij->nohw", windows, weights[f"{layer}.weight"].astype(np.float64), optimize=True)
    scale, shift, mean, variance = (
        weights[f"{layer + 1}.{name}"].astype(np.float64)[:, None, None]
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    return np.maximum((found - mean) / np.sqrt(variance + 1e-5) * scale + shift, 0)


def safetensors(path: Path) -> Tensors:
    """The tensors of one of our own files, with numpy alone."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    dtypes = {"U8": np.uint8, "F32": np.float32, "I64": np.int64}
    found: Tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            begin, end = (start + offset for offset in entry["data_offsets"])
            found[name] = np.frombuffer(data[begin:end], dtypes[entry["dtype"]]).reshape(entry["shape"])
    return found
