"""The other weights that `rebuild` is tried with. Public: nothing here helps a program that reads what it is given."""

from __future__ import annotations

import hashlib
import json
from random import Random
from typing import Any

import numpy as np

from grader.checks import Given, given

HIDDEN, SIDE, LABELS, IMAGES = 64, 28, 10, 16


@given("other")
def other(chance: Random) -> Given:
    """A model folder like the student's with random weights, and images; the right probabilities are in `truth`."""
    noise = np.random.default_rng(chance.getrandbits(64))
    tensors = {
        "hidden.weight": noise.normal(0, 0.05, (HIDDEN, SIDE * SIDE)).astype("<f4"),
        "hidden.bias": noise.normal(0, 0.5, HIDDEN).astype("<f4"),
        "output.weight": noise.normal(0, 0.3, (LABELS, HIDDEN)).astype("<f4"),
        "output.bias": noise.normal(0, 0.5, LABELS).astype("<f4"),
    }
    images = noise.integers(0, 256, (IMAGES, SIDE, SIDE), dtype=np.uint8)
    model = safetensors(tensors)
    meta = {
        "weights": "model.safetensors",
        "sha256": hashlib.sha256(model).hexdigest(),
        "labels": list(range(LABELS)),
        "preprocessing": {"divide": 255, "mean": 0.15, "std": 0.30},
        "versions": {"python": "3.11", "numpy": np.__version__},
    }
    files = {
        "model.safetensors": model,
        "model_meta.json": json.dumps(meta).encode(),
        "images.json": json.dumps(images.tolist()).encode(),
    }
    return Given(files=files, truth={"probabilities": probabilities(tensors, images).tolist()})


def safetensors(tensors: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """The file format: length of the header, header in JSON, then the numbers one tensor after the other."""
    header: dict[str, Any] = {}
    end = 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [end, end + tensor.nbytes]}
        end += tensor.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(tensor.tobytes() for tensor in tensors.values())


def probabilities(tensors: dict[str, np.ndarray[Any, Any]], images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the network answers, [N, 10]."""
    exact = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    values = (images.reshape(len(images), -1) / 255 - 0.15) / 0.30
    hidden = np.maximum(values @ exact["hidden.weight"].T + exact["hidden.bias"], 0)
    scores = hidden @ exact["output.weight"].T + exact["output.bias"]
    shares: np.ndarray[Any, Any] = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
