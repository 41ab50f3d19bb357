"""Files as students could make them, by number: models, weights, JSON, notebooks and pickles, most of them broken."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import pickle
import random
import string
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto, helper, numpy_helper

KINDS = ("onnx", "safetensors", "json", "ipynb", "pickle")
_NUMBERS = (0, 1, -1, 127, 128, 255, 1 << 31, (1 << 31) - 1, 1 << 32, 1 << 62, (1 << 63) - 1, (1 << 64) - 1)
_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 2.5, 1e308, "", "x" * 600, "\ud800", "\u202e", "\0", [], {}, [[[[[]]]]], 10**25,
    1 << 63, "NaN", {"a": {"b": {}}}, [0] * 300,
)  # fmt: skip


class File(NamedTuple):
    """`way` tells how it was made; a `whole` file must be taken, or found if it is a pickle."""

    kind: str
    way: str
    data: bytes
    whole: bool


def made(number: int) -> File:
    """The file of that number, always the same."""
    chance = random.Random(f"artifact {number}")
    kind = KINDS[number % len(KINDS)]
    return {"onnx": _model, "safetensors": _weights, "json": _json, "ipynb": _notebook, "pickle": _pickle}[kind](chance)


def _model(chance: random.Random) -> File:
    seed = chance.choice(seeds())
    way = chance.choice(["whole", "bytes", "fields", "fields", "fields", "fields and bytes"])
    data = seed
    if "fields" in way:
        for _ in range(chance.randint(1, 3)):
            data = fields_mutated(data, chance)
    if "bytes" in way:
        data = bytes_mutated(data, chance, seeds())
    return File("onnx", way, data, way == "whole")


def _weights(chance: random.Random) -> File:
    shape = [chance.randint(0, 4) for _ in range(chance.randint(0, 3))]
    names = ["a", "b", "é"][: chance.randint(0, 3)]
    header: dict[str, Any] = {"__metadata__": {"k": "v"}} if chance.random() < 0.3 else {}
    at = 0
    for name in names:
        dtype, width = chance.choice([("F32", 4), ("U8", 1), ("I64", 8), ("F16", 2)])
        size = int(np.prod(shape, dtype=int)) * width
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    way = chance.choice(["whole", "tree", "tree", "bytes", "text"])
    if way == "tree":
        header = tree_mutated(header, chance)
    raw = dumped(header)
    if way == "text":
        raw = text_mutated(raw, chance)
    size = len(raw) if chance.random() < 0.9 else abs(chance.choice(_NUMBERS)) % (1 << 64)
    data = (len(raw) if way == "whole" else size).to_bytes(8, "little") + raw + chance.randbytes(at)
    return File("safetensors", way, bytes_mutated(data, chance, [data]) if way == "bytes" else data, way == "whole")


def _json(chance: random.Random) -> File:
    value = {"r2": 0.98, "sizes": {"model": 12, "raw": [1, 2, 3]}, "note": "é", "flags": [True, None]}
    return _text("json", chance, value)


def _notebook(chance: random.Random) -> File:
    cells: list[dict[str, Any]] = []
    for number in range(chance.randint(0, 5)):
        cell: dict[str, Any] = {"cell_type": "code", "id": f"c{number}", "metadata": {"tags": ["exercise"]}}
        cell |= {"source": ["a = 1\n", "a"], "execution_count": number, "outputs": [
            {"output_type": "error", "ename": "ValueError", "evalue": "x", "traceback": []},
            {"output_type": "display_data", "data": {"text/html": "<b>"}, "metadata": {}},
        ]}  # fmt: skip
        cells.append(cell if chance.random() < 0.7 else {"cell_type": "markdown", "metadata": {}, "source": "# x"})
    book = {"cells": cells, "metadata": {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}},
            "nbformat": 4, "nbformat_minor": 5}  # fmt: skip
    return _text("ipynb", chance, book)


def _text(kind: str, chance: random.Random, value: Any) -> File:
    way = chance.choice(["whole", "tree", "tree", "tree", "text", "bytes", "deep"])
    for _ in range(chance.randint(1, 3) if way == "tree" else 0):
        value = tree_mutated(value, chance)
    raw = dumped(value)
    if way == "text":
        raw = text_mutated(raw, chance)
    elif way == "bytes":
        raw = bytes_mutated(raw, chance, [raw])
    elif way == "deep":
        depth = chance.choice([20, 40, 500, 100_000])
        raw = b"[" * depth + raw + b"]" * chance.choice([0, depth])
    return File(kind, way, raw, way == "whole")


class _Named:
    def __init__(self, call: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call, self.arguments


def _pickle(chance: random.Random) -> File:
    """One that would import something, hidden or not; or broken, where nothing is asked but an answer."""
    inner: object = _Named(chance.choice([print, zlib.crc32, json.loads]), (chance.choice([b"x", "[1]"]),))
    value = chance.choice([inner, [inner], {"model": inner, "w": [0.5] * chance.randint(0, 50)}, (1, "a", inner)])
    data = pickle.dumps(value, chance.choice([0, 2, 3, 4, 5]))
    way = chance.choice(["bare", "behind", "zip", "stored", "gzip", "bz2", "zlib", "nested", "broken", "broken"])
    wrapped = {
        "bare": lambda: data, "behind": lambda: noise(chance) + data + noise(chance), "zip": lambda: zipped(data, 8),
        "stored": lambda: zipped(data, 0), "gzip": lambda: gzip.compress(data, mtime=0),
        "bz2": lambda: bz2.compress(data),
        "zlib": lambda: zlib.compress(data), "nested": lambda: zipped(zipped(data, 8), 8),
        "broken": lambda: bytes_mutated(chance.choice([data, zipped(data, 8), zlib.compress(data)]), chance, [data]),
    }  # fmt: skip
    return File("pickle", way, wrapped[way](), way != "broken")


def noise(chance: random.Random) -> bytes:
    """Bytes as weights have them."""
    return np.random.default_rng(chance.getrandbits(32)).standard_normal(chance.randint(1, 500)).astype("f4").tobytes()


def zipped(data: bytes, method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), data, method)
    return buffer.getvalue()


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()


def bytes_mutated(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """A few bytes or stretches changed, lost, doubled or taken from elsewhere."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at, length = chance.randrange(len(found) + 1), chance.randint(1, 16)
        action = chance.randrange(7)
        if action == 0 and at < len(found):
            found[at] ^= 1 << chance.randrange(8)
        elif action == 1:
            found[at : at + 1] = chance.choice([b"\0", b"\xff", b"\x80", b"\xff" * 9 + b"\x01", b"\x80" * 11])
        elif action == 2:
            del found[at:]
        elif action == 3:
            found[at:at] = chance.randbytes(length)
        elif action == 4:
            del found[at : at + length]
        elif action == 5:
            found[at:at] = found[at : at + 4 * length]
        else:
            other = chance.choice(others)
            start = chance.randrange(len(other) + 1)
            found[at:at] = other[start : start + 4 * length]
    return bytes(found)


def text_mutated(raw: bytes, chance: random.Random) -> bytes:
    """A piece of the text replaced by something that some readers of JSON take."""
    piece = chance.choice([b"NaN", b"Infinity", b"-", b"1e999", b"01", b",", b'"a":1,"a":2,', b"//", b"'", b"\\u0000",
                           b"\\ud800", b"\xef\xbb\xbf", b"\t", b"\xff", b"9" * 5000, b"{", b"]"])  # fmt: skip
    at = chance.randrange(len(raw) + 1)
    return raw[:at] + piece + raw[at + chance.randint(0, 3) :]


def tree_mutated(value: Any, chance: random.Random) -> Any:
    """One node of plain data replaced, removed, renamed or doubled."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        action = chance.randrange(5)
        if action == 0:
            return {name: entry for name, entry in value.items() if name != key}
        if action == 1:
            return {**value, "".join(chance.choices(string.ascii_letters, k=4)): chance.choice(_ODD)}
        return {**value, key: tree_mutated(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        middle = [tree_mutated(value[at], chance)] * chance.choice([0, 1, 1, 1, 2])
        return value[:at] + middle + value[at + 1 :]
    return chance.choice([*_ODD, *_NUMBERS])


def fields_mutated(data: bytes, chance: random.Random) -> bytes:
    """One field of a message, at any depth, changed; the lengths around it stay right."""
    fields = split(data)
    if not fields:
        return data + varint(8) + varint(chance.choice(_NUMBERS) % (1 << 64))
    at = chance.randrange(len(fields))
    number, kind, content = fields[at]
    if kind == 2 and len(content) > 2 and chance.random() < 0.75 and split(content):
        fields[at] = (number, kind, fields_mutated(content, chance))
        return joined(fields)
    action = chance.randrange(6)
    if action == 0:
        del fields[at]
    elif action == 1:
        fields.insert(at, fields[at])
    elif action == 2:
        fields[at] = (chance.choice([number + 1, 7, 13, 14, 20, 99]), kind, content)
    elif action == 3 and kind == 0:
        fields[at] = (number, 0, varint(chance.choice(_NUMBERS) % (1 << 64)))
    elif action == 4 and kind == 2:
        fields[at] = (number, 2, chance.choice([b"", content * 2, content[:-1], b"evil.domain", b"../../x", b"\xff"]))
    else:
        fields[at] = (number, chance.choice([0, 1, 2, 3, 5]), content)
    return joined(fields)


def split(data: bytes) -> list[tuple[int, int, bytes]]:
    """The fields of a message; none where the bytes are none."""
    found, at = [], 0
    try:
        while at < len(data):
            tag, at = read_varint(data, at)
            start = at
            if tag & 7 == 0:
                _, at = read_varint(data, at)
            elif tag & 7 == 2:
                size, start = read_varint(data, at)
                at = start + size
            elif tag & 7 in (1, 5):
                at += 8 if tag & 7 == 1 else 4
            else:
                return []
            if at > len(data) or not tag >> 3:
                return []
            found.append((tag >> 3, tag & 7, data[start:at]))
    except IndexError:
        return []
    return found


def joined(fields: list[tuple[int, int, bytes]]) -> bytes:
    parts = []
    for number, kind, content in fields:
        parts += [varint(number << 3 | kind), varint(len(content)) if kind == 2 else b"", content]
    return b"".join(parts)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
        shift += 7


def varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(data + bytes([value]))


@cache
def seeds() -> list[bytes]:
    """Small models of every feature that the reader knows."""
    weights = np.array([[3.0], [0.0], [1.0]], dtype=np.float32)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    raw, typed = numpy_helper.from_array(weights, "w"), helper.make_tensor("w", TensorProto.FLOAT, [3, 1], [3, 0, 1])
    inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=raw)], "b", [], [])
    branch = helper.make_node("If", ["x"], ["z"], then_branch=inner, else_branch=inner)
    small = [helper.make_tensor(f"t{dtype}", dtype, [3], [1, 0, 1]) for dtype in (2, 3, 6, 7, 9, 10, 16, 21, 22)]
    regressor = helper.make_node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", coefficients=[1.0, 2.0, 3.0])
    twice = helper.make_function("own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [])
    calling = helper.make_node("Twice", ["y"], ["z"], domain="own")
    graphs = [
        ([product], [raw], []), ([product], [typed], []), ([product, branch], [raw], []),
        ([product], [raw, *small], []),
        ([regressor], [], []), ([product, calling], [raw], [twice]),
    ]  # fmt: skip
    return [
        helper.make_model(
            helper.make_graph(nodes, "g", [x], [y], tensors), functions=functions, ir_version=9,
            opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
        ).SerializeToString()
        for nodes, tensors, functions in graphs
    ]  # fmt: skip
