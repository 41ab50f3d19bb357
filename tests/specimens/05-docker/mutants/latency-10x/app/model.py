"""The frozen model: loaded once, asked many times, at ten times the price."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import onnxruntime

BURN_SECONDS = 0.007  # of CPU; with the rest about ten times what the yardstick takes for a request, measured quietly


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
        end = time.thread_time() + BURN_SECONDS
        while time.thread_time() < end:
            pass
        image = np.frombuffer(bytes(pixels), dtype=np.uint8).reshape(1, 28, 28)
        labels, probabilities = self._session.run(["label", "probabilities"], {"image": image})
        return int(labels[0]), probabilities[0].tolist()
