"""The frozen model: loaded once, asked many times."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime


class Model:
    """An ONNX session over one file; the preprocessing is inside its graph."""

    def __init__(self, path: Path) -> None:
        # One read for both: the version names the very bytes that answer.
        content = path.read_bytes()
        self.version = hashlib.sha256(content).hexdigest()[:12]
        options = onnxruntime.SessionOptions()
        # The container has one core; more threads would only wait for each other.
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def read(self, pixels: list[int]) -> tuple[int, list[float]]:
        """The label and the ten probabilities of 784 pixels of 0..255."""
        image = np.frombuffer(bytes(pixels), dtype=np.uint8).reshape(1, 28, 28)
        labels, probabilities = self._session.run(["label", "probabilities"], {"image": image})
        return int(labels[0]), probabilities[0].tolist()
