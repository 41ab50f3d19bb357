"""Int8 in two ways: ranges found anew for each image (dynamic), or fixed beforehand by calibration (static)."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

CALIBRATION_ROWS, BATCH = 256, 32


class Rows(CalibrationDataReader):
    """Hands out raw images in batches: the preprocessing is inside the graph."""

    def __init__(self, images: np.ndarray) -> None:
        self.batches = iter([{"image": images[at : at + BATCH]} for at in range(0, len(images), BATCH)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)


def quantize_on_the_fly(model: Path, out: Path) -> None:
    """Int8 weights; the range of the activations is measured at every call."""
    with tempfile.TemporaryDirectory() as folder:
        quantize_dynamic(_prepared(model, Path(folder)), out, weight_type=QuantType.QInt8)


def quantize_calibrated(model: Path, out: Path, images: np.ndarray) -> None:
    """Int8 weights by channel, unsigned activations whose ranges these images fix."""
    with tempfile.TemporaryDirectory() as folder:
        quantize_static(
            _prepared(model, Path(folder)), out, Rows(images), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip


def calibration_rows(split: np.ndarray, seed: int) -> np.ndarray:
    """Row numbers of training images, in the order in which they are used."""
    training = np.flatnonzero(split == 0)
    return np.random.default_rng(seed).choice(training, CALIBRATION_ROWS, replace=False)


def calibration_note(images: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    """What a colleague needs to calibrate alike, and to see that the images were the same."""
    return {"indices": rows.tolist(), "sha256": hashlib.sha256(images[rows].tobytes()).hexdigest()}


def _prepared(model: Path, folder: Path) -> Path:
    """The model with shapes inferred and normalisations folded, which both kinds of quantization want."""
    prepared = folder / "prepared.onnx"
    quant_pre_process(model, prepared)
    return prepared
