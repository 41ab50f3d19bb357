"""The five duels of the lab, and the words that their samples allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import workbench as wb


def duels(tools: Any, models: Path, made: Path, images: np.ndarray) -> dict[str, Any]:
    """Time every contender of every duel on one image; the raw samples go into results.json."""

    def run(path: Path) -> Any:
        return tools.caller(path, images)

    cnn, mlp, lenet = (models / f"{name}.onnx" for name in ("cnn384", "mlp", "lenet"))
    contenders = {
        "mlp": {"fp32": run(mlp), "dynamic": run(made / "mlp_dynamic.onnx")},
        "cnn": {"fp32": run(cnn), "dynamic": run(made / "cnn_dynamic.onnx"), "static": run(made / "cnn_static.onnx")},
        "lenet": {"fp32": run(lenet), "static": run(made / "lenet_static.onnx")},
        "sparse": {"dense": run(models / "fast.onnx"), "sparse": run(made / "pruned.onnx")},
        "openvino": {
            "onnxruntime": run(cnn),
            "openvino": tools.openvino_caller(cnn, images),
            "openvino_f32": tools.openvino_caller(cnn, images, "f32"),
        },
    }
    bets = {"mlp": "L03.B1", "cnn": "L03.B2", "lenet": "L03.B4", "openvino": "L03.B6"}
    return {name: wb.measure(some, id=name, bet=bets.get(name), batch=len(images)) for name, some in contenders.items()}


def verdicts(measured: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """For each contender but the first of its duel: how many times as fast as that one, and the word for it."""
    found = {}
    for name, measurement in measured.items():
        base, *others = measurement.samples
        for contender in others:
            ratio = measurement.ratio(base, contender)
            found[f"{name}.{contender}"] = {"ratio": round(ratio, 4), "verdict": word_for(ratio)}
    return found


def word_for(ratio: float) -> str:
    """`faster`, `slower`, or `same` where the next run may turn it round."""
    return "faster" if ratio > 1.1 else "slower" if ratio < 0.9 else "same"
