"""The mail room's pipeline from plain data: which steps in JSON, their numbers in safetensors."""

import json
from pathlib import Path

from safetensors.numpy import load_file


class Pipeline:
    def __init__(self, steps, arrays):
        self.steps = steps
        self.arrays = arrays

    def predict(self, rows):
        values = rows
        for step in self.steps:
            values = getattr(self, step)(values)
        return values

    def standardise(self, rows):
        return (rows - self.arrays["mean"]) / self.arrays["scale"]

    def linear(self, rows):
        return rows @ self.arrays["coefficients"].T + self.arrays["intercepts"]

    def argmax(self, scores):
        return scores.argmax(axis=1)


def load_pipeline(folder):
    plan = json.loads((Path(folder) / "pipeline.json").read_text())
    return Pipeline(plan["steps"], load_file(Path(folder) / plan["arrays"]))
