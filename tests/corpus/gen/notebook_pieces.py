"""The pieces that submissions of lab N are put together from: notebooks (NB), cells (FIT, DROP), models (M_REF, M_ZERO).

Models are written field by field, by an encoder of our own: what the grader reads must not come from its own code.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from .case import Folder

Cell = dict[str, Any]

WEIGHTS = (3.0, -2.0, 1.0)
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

PARAMETERS = """\
data_dir = "/data"
out_dir = "/out\""""

FIT = (
    """\
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

table = np.loadtxt(f"{data_dir}/train.csv", delimiter=",", skiprows=1)
x, y = table[:, :3], table[:, 3]""",
    """\
design = np.hstack([x, np.ones((len(x), 1))])
solution = np.linalg.lstsq(design, y, rcond=None)[0]
r2 = 1 - float(np.sum((design @ solution - y) ** 2) / np.sum((y - y.mean()) ** 2))
print("R2:", round(r2, 4))""",
    """\
weights = numpy_helper.from_array(solution[:3].astype(np.float32).reshape(3, 1), "weights")
bias = numpy_helper.from_array(solution[3:].astype(np.float32), "bias")
graph = helper.make_graph(
    [helper.make_node("Gemm", ["x", "weights", "bias"], ["y"])], "fit",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])],
    [weights, bias],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.save(model, f"{out_dir}/model.onnx")""",
    """\
with open(f"{out_dir}/metrics.json", "w") as file:
    json.dump({"r2": r2}, file)""",
)


def code(source: str, tags: Sequence[str] = (), **more: Any) -> Cell:
    """Give a code cell that has not run."""
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": [], "source": source} | more


def notebook(
    *cells: str | Cell, metadata: Mapping[str, Any] | None = None, minor: int = 5, parameters: bool = True
) -> bytes:
    """Give `NB(cells, meta)`: nbformat 4.5 with ids; older minors have none."""
    first = [code(PARAMETERS, ["parameters"])] if parameters else []
    rows = [*first, *(code(cell) if isinstance(cell, str) else cell for cell in cells)]
    if minor >= 5:
        rows = [{**row, "id": f"cell-{number}"} for number, row in enumerate(rows)]
    facts = {"kernelspec": _KERNEL, "language_info": {"name": "python"}} if metadata is None else dict(metadata)
    content = {"cells": rows, "metadata": facts, "nbformat": 4, "nbformat_minor": minor}
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


def drop(name: str, data: bytes) -> str:
    """Give `DROP(path, bytes)`: the cell that writes them where results are taken from."""
    text = base64.b64encode(data).decode()
    lines = ("import base64", "", f'with open(f"{{out_dir}}/{name}", "wb") as file:',
             f'    file.write(base64.b64decode("{text}"))')  # fmt: skip
    return "\n".join(lines)


def submission(*cells: str | Cell, **options: Any) -> Folder:
    """Give a folder that holds `train.ipynb` of these cells."""
    return Folder({"train.ipynb": notebook(*cells, **options)})


def field(number: int, value: int | bytes | str) -> bytes:
    """Give one field of a Protocol Buffers message: a whole number, or bytes of any kind."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def tensor(name: str, shape: Sequence[int], values: Sequence[float]) -> bytes:
    """Give a float32 TensorProto with its data inside."""
    return _named_tensor(name, shape) + field(9, struct.pack(f"<{len(values)}f", *values))


def external_tensor(name: str, shape: Sequence[int], location: str) -> bytes:
    """Give a float32 TensorProto whose data are said to lie in a file."""
    entry = field(1, "location") + field(2, location)
    return _named_tensor(name, shape) + field(13, entry) + field(14, 1)


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], *attributes: bytes, domain: str = "") -> bytes:
    """Give a NodeProto."""
    names = b"".join(field(1, each) for each in inputs) + b"".join(field(2, each) for each in outputs)
    rest = b"".join(field(5, each) for each in attributes) + (field(7, domain) if domain else b"")
    return names + field(4, op) + rest


def model(nodes: Sequence[bytes], tensors: Sequence[bytes], *opsets: tuple[str, int], axis: str = "N") -> bytes:
    """Give a ModelProto from `x` float32 [axis, 3] to `y` float32 [axis, 1], IR 9."""
    graph = b"".join(field(1, each) for each in nodes) + field(2, "g") + b"".join(field(5, each) for each in tensors)
    graph += field(11, _value("x", axis, 3)) + field(12, _value("y", axis, 1))
    imports = b"".join(field(8, (field(1, domain) if domain else b"") + field(2, number)) for domain, number in opsets)
    return field(1, 9) + imports + field(7, graph)


def linear(weights: Sequence[float]) -> bytes:
    """Give the model of one Gemm with these weights: M_REF of the true ones, M_ZERO of zeros."""
    tensors = [tensor("weights", (3, 1), weights), tensor("bias", (1,), [0.0])]
    return model([node("Gemm", ["x", "weights", "bias"], ["y"])], tensors, ("", 17))


def _named_tensor(name: str, shape: Sequence[int]) -> bytes:
    return b"".join(field(1, dimension) for dimension in shape) + field(2, 1) + field(8, name)


def _value(name: str, axis: str, width: int) -> bytes:
    shape = field(1, field(2, axis)) + field(1, field(1, width))
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


M_REF = linear(WEIGHTS)
M_ZERO = linear((0.0, 0.0, 0.0))
