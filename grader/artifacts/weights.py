"""A safetensors file's header, read strictly; the weights are counted, not loaded."""

from __future__ import annotations

from typing import Any

from grader.artifacts import dtypes, strict
from grader.artifacts.dtypes import SAFETENSORS
from grader.artifacts.refused import NAME_BYTES, Refused, shown

HEADER_BYTES = 4 << 20
TENSORS = 20_000
RANK = 32
_META = "__metadata__"
_KEYS = {"dtype", "shape", "data_offsets"}


def read(data: bytes) -> dict[str, Any]:
    """The `tensors` section: `metadata`, `tensors` in the order of their bytes, `contiguous`, `header_bytes`.

    Raises `Refused`: "format" for a header that is not one, "data" for bytes that no tensor or two tensors own.
    """
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 2 <= size <= min(HEADER_BYTES, len(data) - 8) or data[8:9] != b"{":
        raise Refused("format", detail="header")
    header = _header(data[8 : 8 + size])
    metadata = header.pop(_META, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Refused("format", detail=_META)
    if len(header) > TENSORS:
        raise Refused("data", detail="tensors")
    body = memoryview(data)[8 + size :]
    rows = sorted((_tensor(name, entry, body) for name, entry in header.items()), key=_place)
    ends = [0, *(row["end"] for row in rows)]
    begins = [*(row["begin"] for row in rows), len(body)]
    if ends != begins:
        first = next(at for at, (end, begin) in enumerate(zip(ends, begins, strict=True)) if end != begin)
        name = rows[first]["name"] if first < len(rows) else ""
        raise Refused("data", name=shown(name), expected=ends[first], found=begins[first])
    return {"metadata": metadata, "tensors": rows, "contiguous": True, "header_bytes": size}


def _header(raw: bytes) -> dict[str, Any]:
    try:
        header = strict.load(raw.rstrip(b" "), HEADER_BYTES)
    except (ValueError, RecursionError) as error:
        raise Refused("format", detail=shown(str(error))) from None
    if not isinstance(header, dict):
        raise Refused("format", detail="header")
    return header


def _tensor(name: str, entry: Any, body: memoryview) -> dict[str, Any]:
    if len(name.encode()) > NAME_BYTES or not isinstance(entry, dict) or set(entry) != _KEYS:
        raise Refused("format", name=shown(name), detail="entry")
    dtype = SAFETENSORS.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    shape, offsets = entry["shape"], entry["data_offsets"]
    if dtype is None or not _whole_numbers(shape) or len(shape) > RANK:
        raise Refused("format", name=shown(name), detail="type")
    if not _whole_numbers(offsets) or len(offsets) != 2:
        raise Refused("format", name=shown(name), detail="offsets")
    begin, end = offsets
    elements = dtypes.product(shape, len(body))
    if elements is None or not begin <= end <= len(body):
        raise Refused("data", name=shown(name), detail="shape")
    if end - begin != dtypes.byte_size(dtype, elements):
        raise Refused("data", name=shown(name), expected=dtypes.byte_size(dtype, elements), found=end - begin)
    zeros = dtypes.zeros(dtype, body[begin:end], elements)
    return {"name": name, "dtype": dtype.name, "shape": shape, "begin": begin, "end": end, "zeros": zeros}


def _whole_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(number) is int and number >= 0 for number in value)


def _place(row: dict[str, Any]) -> tuple[int, int]:
    return row["begin"], row["end"]
