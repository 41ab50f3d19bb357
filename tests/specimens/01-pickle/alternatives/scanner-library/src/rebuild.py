"""The digit network, built from the weights of any folder that holds `model.safetensors` and `model_meta.json`."""

import json
from pathlib import Path

import numpy as np


class Network:
    """Two layers: 784 prepared pixels, 64 hidden units, ten probabilities."""

    def __init__(self, tensors, preprocessing):
        self.tensors = tensors
        self.preprocessing = preprocessing

    def predict(self, images):
        """Probabilities [N, 10] of images uint8 [N, 28, 28]."""
        prepare = self.preprocessing
        pixels = images.reshape(len(images), -1).astype(np.float64)
        values = (pixels / prepare["divide"] - prepare["mean"]) / prepare["std"]
        hidden = np.maximum(values @ self.tensors["hidden.weight"].T + self.tensors["hidden.bias"], 0)
        scores = hidden @ self.tensors["output.weight"].T + self.tensors["output.bias"]
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)


def load_model(folder):
    """The network of a folder. Nothing in it is executed: a header in JSON, and numbers."""
    data = (Path(folder) / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            numbers = np.frombuffer(data[start + first : start + last], dtype="<f4")
            tensors[name] = numbers.reshape(entry["shape"])
    meta = json.loads((Path(folder) / "model_meta.json").read_text(encoding="utf-8"))
    return Network(tensors, meta["preprocessing"])
