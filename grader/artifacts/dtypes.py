"""Element types of ONNX and safetensors, and how often a tensor's bytes say zero."""

from __future__ import annotations

import array
import math
import struct
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

CHUNK = 1 << 20
_LONGEST = 1 << 31  # of a dimension beside an empty one


class Dtype(NamedTuple):
    """A type's name, the width of an element in bits, and whether its top bit alone is a second zero (-0.0)."""

    name: str
    bits: int
    signed_zero: bool = False
    code: str = ""  # of `struct`, where single values can be shown


# By the number that TensorProto.data_type holds. Those below a byte are packed, two or four to a byte.
ONNX = {
    1: Dtype("float32", 32, True, "f"), 2: Dtype("uint8", 8, code="B"), 3: Dtype("int8", 8, code="b"),
    4: Dtype("uint16", 16, code="H"), 5: Dtype("int16", 16, code="h"), 6: Dtype("int32", 32, code="i"),
    7: Dtype("int64", 64, code="q"), 8: Dtype("string", 0), 9: Dtype("bool", 8, code="?"),
    10: Dtype("float16", 16, True, "e"), 11: Dtype("float64", 64, True, "d"), 12: Dtype("uint32", 32, code="I"),
    13: Dtype("uint64", 64, code="Q"), 14: Dtype("complex64", 64), 15: Dtype("complex128", 128),
    16: Dtype("bfloat16", 16, True), 17: Dtype("float8e4m3fn", 8, True), 18: Dtype("float8e4m3fnuz", 8),
    19: Dtype("float8e5m2", 8, True), 20: Dtype("float8e5m2fnuz", 8), 21: Dtype("uint4", 4), 22: Dtype("int4", 4),
    23: Dtype("float4e2m1", 4), 24: Dtype("float8e8m0", 8), 25: Dtype("uint2", 2), 26: Dtype("int2", 2),
}  # fmt: skip

SAFETENSORS = {
    "BOOL": Dtype("BOOL", 8), "U8": Dtype("U8", 8), "I8": Dtype("I8", 8), "F8_E5M2": Dtype("F8_E5M2", 8, True),
    "F8_E4M3": Dtype("F8_E4M3", 8, True), "F8_E8M0": Dtype("F8_E8M0", 8), "I16": Dtype("I16", 16),
    "U16": Dtype("U16", 16), "F16": Dtype("F16", 16, True), "BF16": Dtype("BF16", 16, True), "I32": Dtype("I32", 32),
    "U32": Dtype("U32", 32), "F32": Dtype("F32", 32, True), "F64": Dtype("F64", 64, True), "I64": Dtype("I64", 64),
    "U64": Dtype("U64", 64), "C64": Dtype("C64", 64),
}  # fmt: skip

_WORDS = {8: "B", 16: "H", 32: "I", 64: "Q"}


def product(shape: list[int], limit: int) -> int | None:
    """The number of elements; None where it is beyond `limit` or a dimension is negative."""
    if any(dimension < 0 for dimension in shape):
        return None
    if 0 in shape:
        return 0 if max(shape) < _LONGEST else None
    total = 1
    for dimension in shape:
        total *= dimension
        if total > limit:
            return None
    return total


def byte_size(dtype: Dtype, elements: int) -> int:
    """How many bytes so many elements fill."""
    return (elements * dtype.bits + 7) // 8


def zeros(dtype: Dtype, data: memoryview, elements: int) -> int | None:
    """How many elements are exactly zero, both signs of it; None for types whose elements share bytes' words."""
    if dtype.bits < 8:
        return _zeros_packed(dtype.bits, data, elements)
    if dtype.bits not in _WORDS or dtype.name.startswith(("complex", "C")):
        return None
    total = 0
    for words in _chunks(dtype, data):
        total += words.count(0)
        if dtype.signed_zero:
            total += words.count(1 << (dtype.bits - 1))
    return total


def commonest(dtype: Dtype, data: memoryview) -> list[int] | None:
    """The most frequent value of an 8-bit tensor and how often it stands there: a pruned weight may be a zero point."""
    if dtype.name not in ("int8", "uint8") or not data:
        return None
    counts: Counter[int] = Counter()
    for start in range(0, len(data), CHUNK):
        counts.update(data[start : start + CHUNK].tobytes())
    value, count = max(counts.items(), key=lambda entry: (entry[1], -entry[0]))
    return [value - 256 if dtype.name == "int8" and value > 127 else value, count]


def values(dtype: Dtype, data: memoryview, most: int) -> list[float | int | None] | None:
    """The elements of a small tensor; what is not finite is None. None for a large one, or for an unusual type."""
    if not dtype.code or not data or 8 * len(data) > most * dtype.bits:
        return None
    found = struct.unpack(f"<{8 * len(data) // dtype.bits}{dtype.code}", data)
    return [value if math.isfinite(value) else None for value in found]


def _chunks(dtype: Dtype, data: memoryview) -> Iterator[array.array[int]]:
    for start in range(0, len(data), CHUNK):
        words = array.array(_WORDS[dtype.bits])
        assert words.itemsize * 8 == dtype.bits
        words.frombytes(data[start : start + CHUNK])
        if struct.pack("=H", 1) != struct.pack("<H", 1):
            words.byteswap()
        yield words


def _zeros_packed(bits: int, data: memoryview, elements: int) -> int:
    """Types of 2 and 4 bits: zeros among the elements, the padding of the last byte left out."""
    per_byte, mask = 8 // bits, (1 << bits) - 1
    table = [sum(((byte >> (bits * at)) & mask) == 0 for at in range(per_byte)) for byte in range(256)]
    total = 0
    for start in range(0, len(data), CHUNK):
        counts = Counter(data[start : start + CHUNK].tobytes())
        total += sum(table[byte] * count for byte, count in counts.items())
    unused = len(data) * per_byte - elements
    if unused:
        last = data[len(data) - 1]
        total -= sum(((last >> (bits * at)) & mask) == 0 for at in range(per_byte - unused, per_byte))
    return total
