"""Reads the pixels of one digit from standard input, loads the model, answers."""

from __future__ import annotations

import json
import os
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(os.environ["MODEL_PATH"], providers=["CPUExecutionProvider"])
image = np.array(json.load(sys.stdin), dtype=np.uint8).reshape(1, 28, 28)
labels, probabilities = session.run(["label", "probabilities"], {"image": image})
print(json.dumps({"label": int(labels[0]), "probabilities": probabilities[0].tolist()}))
