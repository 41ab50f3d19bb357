"""Notebooks and other submissions for the tests of the small lab 92-books."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
PARAMETERS = "data_dir = 'data'\nout_dir = '.'\n"
FIT = """
import json
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h

rows = np.loadtxt(f"{data_dir}/points.csv", delimiter=",", skiprows=1)
weights = np.linalg.lstsq(rows[:, :3], rows[:, 3], rcond=None)[0]
graph = h.make_graph(
    [h.make_node("Gemm", ["x", "w", "b"], ["y"])], "g",
    [h.make_tensor_value_info("x", T.FLOAT, ["n", 3])], [h.make_tensor_value_info("y", T.FLOAT, ["n", 1])],
    [h.make_tensor("w", T.FLOAT, [3, 1], weights.tolist()), h.make_tensor("b", T.FLOAT, [1], [0.0])],
)
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=9)
"""
SAVE = """
onnx.save(model, f"{out_dir}/model.onnx")
json.dump({"r2": 1.0}, open(f"{out_dir}/metrics.json", "w"))
"""


def cell(source: str, *tags: str, **more: Any) -> dict[str, Any]:
    """A code cell that has not run."""
    plain = {"cell_type": "code", "metadata": {"tags": list(tags)}, "outputs": [], "execution_count": None}
    return plain | {"source": source} | more


def book(*cells: str | dict[str, Any], metadata: dict[str, Any] | None = None, nbformat: int = 4) -> bytes:
    """A notebook whose first cell takes parameters."""
    made = [one if isinstance(one, dict) else cell(one) for one in cells]
    written = {
        "nbformat": nbformat,
        "nbformat_minor": 4,
        "metadata": KERNEL if metadata is None else metadata,
        "cells": [cell(PARAMETERS, "parameters"), *made],
    }
    return json.dumps(written).encode()


def drop(name: str, data: bytes) -> str:
    """A cell that writes these bytes into a file of the results."""
    text = base64.b64encode(data).decode()
    return f"import base64; open(f'{{out_dir}}/{name}', 'wb').write(base64.b64decode('{text}'))"


def hand_in(folder: Path, notebook: bytes | None, tool: str = "print(42)\n") -> Path:
    """A submission to 92-books."""
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "tool.py").write_text(tool)
    if notebook is not None:
        (folder / "train.ipynb").write_bytes(notebook)
    return folder
