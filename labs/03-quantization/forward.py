"""The digit network `fast` in numpy: runs the weights of a safetensors file where there is no torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# Where the convolutions stand in networks.py, and whether a pooling follows.
LAYERS = ((1, True), (5, False), (8, True), (12, False), (15, False))
LINEAR = 21


def forward(weights: dict[str, Array], arrays: dict[str, Array]) -> dict[str, Array]:
    """`label` int64 [N] and `probabilities` float32 [N, 10] of raw pixels uint8 [N, 28, 28].

    Raises KeyError or ValueError where a tensor is missing or has another shape.
    """
    x = (arrays["image"][:, None].astype(np.float32) / 255 - 0.15) / 0.30
    for layer, pool in LAYERS:
        x = np.maximum(_normalise(_convolve(x, weights[f"{layer}.weight"]), weights, layer + 1), 0)
        if pool:
            count, channels, height, width = x.shape
            x = x.reshape(count, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))
    logits = x.mean(axis=(2, 3)) @ weights[f"{LINEAR}.weight"].T + weights[f"{LINEAR}.bias"]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    return {"label": probabilities.argmax(axis=1), "probabilities": probabilities.astype(np.float32)}


def _convolve(x: Array, kernel: Array) -> Array:
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return np.moveaxis(np.tensordot(windows, kernel, axes=([1, 4, 5], [1, 2, 3])), 3, 1)


def _normalise(x: Array, weights: dict[str, Array], layer: int) -> Array:
    scale = weights[f"{layer}.weight"] / np.sqrt(weights[f"{layer}.running_var"] + 1e-5)
    shift = weights[f"{layer}.bias"] - weights[f"{layer}.running_mean"] * scale
    return x * scale[:, None, None] + shift[:, None, None]
