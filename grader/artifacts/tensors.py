"""One ONNX tensor: its shape against the bytes that are there, without decoding them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from grader.artifacts import dtypes
from grader.artifacts.dtypes import ONNX, Dtype
from grader.artifacts.refused import NAME_BYTES, Refused, shown
from grader.artifacts.wire import Message, Reader, Span, text

ELEMENTS = 50_000_000
RANK = 32
EXTERNAL_BYTES = 100 << 20
SHOWN_VALUES = 16

# TensorProto
_DIMS, _DTYPE, _NAME, _RAW, _SEGMENT, _EXTERNAL, _LOCATION = 1, 2, 8, 9, 3, 13, 14
_FLOATS, _INT32S, _STRINGS, _INT64S, _DOUBLES, _UINT64S = 4, 5, 6, 7, 10, 11
_TYPED = (_FLOATS, _INT32S, _STRINGS, _INT64S, _DOUBLES, _UINT64S)
_TYPED_FIELD = {
    "float32": _FLOATS, "complex64": _FLOATS, "float64": _DOUBLES, "complex128": _DOUBLES, "int64": _INT64S,
    "uint32": _UINT64S, "uint64": _UINT64S, "string": _STRINGS,
}  # fmt: skip
_EXTERNAL_KEYS = {"location", "offset", "length", "checksum"}
_GOES_ON = bytes(range(128, 256))  # bytes of a number that have another one behind them
_ZERO = re.compile(rb"(?<![\x80-\xff])\x00")
_ENDLESS = re.compile(rb"[\x80-\xff]{10}")
_NUMBER = re.compile(r"[0-9]{1,12}")

Sibling = Callable[[str], memoryview]


class Tensors:
    """Reads the tensors of one model; `sibling` gives the bytes of a file beside it, or refuses."""

    def __init__(self, reader: Reader, sibling: Sibling) -> None:
        self._reader = reader
        self._sibling = sibling
        self._view = memoryview(reader.data)
        self._external_bytes = 0
        self.external: list[str] = []
        self.found: list[dict[str, Any]] = []
        self.elements = 0

    def read(self, span: Span, where: str, name: str | None = None) -> dict[str, Any]:
        """Facts of the tensor at `span`; raises `Refused` where its shape and its bytes disagree."""
        tensor = self._reader.message(span)
        called = tensor.text(_NAME) if name is None else name
        dtype = ONNX.get(tensor.number(_DTYPE))
        shape = tensor.numbers(_DIMS)
        if dtype is None or tensor.span(_SEGMENT) is not None or len(shape) > RANK:
            raise Refused("data", name=shown(called), detail="type")
        elements = dtypes.product(shape, ELEMENTS)
        if elements is None:
            raise Refused("data", name=shown(called), detail="shape")
        self.elements += elements
        if self.elements > 4 * ELEMENTS:
            raise Refused("data", name=shown(called), detail="shape")
        row: dict[str, Any] = {"name": called, "dtype": dtype.name, "shape": shape, "where": where}
        self._fill(row, tensor, dtype, elements)
        self.found.append(row)
        return row

    def constant(self, name: str, dtype: str, count: int) -> None:
        """Note numbers that a node holds in an attribute: they are weights wherever they stand."""
        width = {"float32": 4, "int64": 8, "string": 0}[dtype]
        self.found.append(
            {"name": name, "dtype": dtype, "shape": [count], "where": "attribute", "bytes": width * count,
             "zeros": None, "external": None}
        )  # fmt: skip

    def _fill(self, row: dict[str, Any], tensor: Message, dtype: Dtype, elements: int) -> None:
        size = dtypes.byte_size(dtype, elements)
        row |= {"bytes": size, "zeros": None, "external": None}
        typed = [field for field in _TYPED if tensor.count(field)]
        raw = tensor.span(_RAW)
        if tensor.number(_LOCATION) == 1:
            if typed or raw is not None or dtype.name == "string":
                raise Refused("external", name=shown(row["name"]), detail="twice")
            row["external"], data = self._outside(tensor, row["name"], size)
        elif tensor.number(_LOCATION) or tensor.count(_EXTERNAL):
            raise Refused("external", name=shown(row["name"]), detail="location")
        elif raw is not None and raw.size:
            if typed or dtype.name == "string":
                raise Refused("data", name=shown(row["name"]), detail="twice")
            data = self._view[raw.start : raw.end]
        else:
            self._typed(row, tensor, dtype, elements, typed)
            return
        if len(data) != size:
            raise Refused("data", name=shown(row["name"]), expected=size, found=len(data))
        row["zeros"] = dtypes.zeros(dtype, data, elements)
        row["values"] = dtypes.values(dtype, data, SHOWN_VALUES)
        row["commonest"] = dtypes.commonest(dtype, data)

    def _typed(self, row: dict[str, Any], tensor: Message, dtype: Dtype, elements: int, typed: list[int]) -> None:
        """Numbers in the field of their own type: as many as the shape says, whatever they take on the wire."""
        field = _TYPED_FIELD.get(dtype.name, _INT32S)
        if typed not in ([], [field]):
            raise Refused("data", name=shown(row["name"]), detail="twice")
        if field == _STRINGS:
            found = tensor.count(field)
            if any(span.size > 1 << 20 for span in tensor.spans(field)):
                raise Refused("data", name=shown(row["name"]), detail="text")
            row["bytes"] = sum(span.size for span in tensor.spans(field))
        elif field in (_FLOATS, _DOUBLES):
            data = tensor.wide(field, 4 if field == _FLOATS else 8)
            found = 8 * len(data) // dtype.bits
            if len(data) != row["bytes"]:
                raise Refused("data", name=shown(row["name"]), expected=row["bytes"], found=len(data))
            row["zeros"] = dtypes.zeros(dtype, memoryview(data), elements)
            row["values"] = dtypes.values(dtype, memoryview(data), SHOWN_VALUES)
        else:
            share = 8 // dtype.bits if dtype.bits < 8 else 1  # elements that one number holds
            held, none = self._whole_numbers(tensor, field)
            found = held * share
            elements += -elements % share
            row["zeros"] = none if share == 1 else None
            row["values"] = tensor.numbers(field) if share == 1 and 0 < found <= SHOWN_VALUES else None
        if found != elements:
            raise Refused("data", name=shown(row["name"]), expected=elements, found=found)

    def _whole_numbers(self, tensor: Message, field: int) -> tuple[int, int]:
        """How many numbers a field holds and how many of them are 0, counted without decoding millions of them."""
        held = none = 0
        for value in tensor.values(field):
            if isinstance(value, Span):
                data = self._reader.data[value.start : value.end]
                if data[-1:] >= b"\x80" or _ENDLESS.search(data):
                    raise Refused("format", detail="number")
                held += len(data.translate(None, _GOES_ON))
                none += len(_ZERO.findall(data))
            elif isinstance(value, int):
                held += 1
                none += value == 0
            else:
                raise Refused("format", detail="wire type")
        return held, none

    def _outside(self, tensor: Message, name: str, size: int) -> tuple[dict[str, Any], memoryview]:
        """The bytes of a tensor that lie in a file beside the model, named plainly."""
        entries: dict[str, str] = {}
        for span in tensor.spans(_EXTERNAL):
            entry = self._reader.message(span)
            key, value = entry.text(1), entry.span(2)
            if key not in _EXTERNAL_KEYS or key in entries:
                raise Refused("metadata", name=shown(name), key=shown(key))
            if value is not None and value.size > NAME_BYTES:
                raise Refused("external", name=shown(name), detail="location")
            entries[key] = "" if value is None else text(self._reader.data, value)
        location = entries.get("location", "")
        if location in ("", ".", "..") or re.search(r"[/\\\x00:]", location):
            raise Refused("external", name=shown(name), location=shown(location))
        numbers = [entries[key] for key in ("offset", "length") if key in entries]
        if not all(_NUMBER.fullmatch(number) for number in numbers):
            raise Refused("external", name=shown(name), detail="offset")
        beside = self._sibling(location)
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(max(0, len(beside) - offset))))
        self._external_bytes += length
        if offset + length > len(beside) or self._external_bytes > EXTERNAL_BYTES:
            raise Refused("external", name=shown(name), detail="offset")
        if location not in self.external:
            self.external.append(location)
        return {"location": location, "offset": offset, "length": length}, beside[offset : offset + length]
