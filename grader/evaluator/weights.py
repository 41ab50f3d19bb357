"""The arrays of a safetensors file. The grader has read its header strictly before; here it is only taken apart."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

_DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


def tensors_of(data: bytes) -> dict[str, np.ndarray[Any, Any]]:
    """Every tensor by name, in its own type; BF16 as float32, because numpy has none."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    body = memoryview(data)[8 + size :]
    return {name: _tensor(entry, body) for name, entry in header.items()}


def _tensor(entry: dict[str, Any], body: memoryview) -> np.ndarray[Any, Any]:
    begin, end = entry["data_offsets"]
    raw = body[begin:end]
    if entry["dtype"] == "BF16":
        wide = np.frombuffer(raw, "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).reshape(entry["shape"])
    if entry["dtype"] not in _DTYPES:
        raise ValueError(f"no numpy type for {entry['dtype']}")
    return np.frombuffer(raw, _DTYPES[entry["dtype"]]).reshape(entry["shape"])
