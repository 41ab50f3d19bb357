"""Pickles wherever they hide, found without being unpickled; and what is none, not called one."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import pickletools
import subprocess
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.artifacts import scan
from grader.artifacts.opcodes import walk
from grader.artifacts.pickles import Finder


class Harmless:
    def __reduce__(self) -> Any:
        return print, ("unpickled",)


def old() -> bytes:
    return pickle.dumps(Harmless(), 0)


def zipped(data: bytes, name: str = "data.pkl", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("readme.txt", "hello")
        archive.writestr(name, data)
    return buffer.getvalue()


def found_in(data: bytes) -> list[str]:
    finder = Finder()
    finder.look(data)
    return finder.found


NOISE = np.random.default_rng(0).standard_normal(5_000).astype(np.float32).tobytes()
MEMOISED = pickletools.optimize(pickle.dumps([Harmless(), Harmless()], 4))
PICKLES: dict[str, Callable[[], tuple[bytes, list[str]]]] = {
    **{f"protocol {number}": lambda number=number: (pickle.dumps(Harmless(), number), ["@0"]) for number in range(6)},
    "plain data": lambda: (pickle.dumps({"a": [1, 2.5, "x"]}), ["@0"]),
    "plain data, oldest protocol": lambda: (pickle.dumps({"a": [1, 2.5]}, 0), ["@0"]),
    "an array": lambda: (pickle.dumps(np.arange(9)), ["@0"]),
    "memoised names": lambda: (MEMOISED, ["@0"]),
    "cut short": lambda: (pickle.dumps(Harmless())[:-3], ["@0"]),
    "without a header": lambda: (pickle.dumps(Harmless(), 4)[11:], ["@0"]),
    "behind weights": lambda: (NOISE + pickle.dumps(Harmless()) + NOISE, [f"@{len(NOISE)}"]),
    "old, behind weights": lambda: (NOISE + old() + NOISE, [f"@{len(NOISE)}"]),
    "headless, behind weights": lambda: (NOISE + pickle.dumps(Harmless(), 4)[11:] + NOISE, [f"@{len(NOISE)}"]),
    "in a zip": lambda: (zipped(pickle.dumps(Harmless())), ["data.pkl@0"]),
    "in a stored zip": lambda: (zipped(pickle.dumps(Harmless()), method=zipfile.ZIP_STORED), ["data.pkl@0"]),
    "in a zip in a zip": lambda: (zipped(zipped(pickle.dumps(1.5)), "inner.zip"), ["inner.zip/data.pkl@0"]),
    "gzip": lambda: (gzip.compress(pickle.dumps(Harmless())), ["@0"]),
    "zlib": lambda: (zlib.compress(pickle.dumps(Harmless())), ["@0"]),
    "bz2": lambda: (bz2.compress(pickle.dumps(Harmless())), ["@0"]),
    "xz": lambda: (lzma.compress(pickle.dumps(Harmless())), ["@0"]),
    "npy of objects": lambda: (npy(np.array([Harmless()], dtype=object)), []),
    "a class of one's own": lambda: (b"\x80\x02ca-b\nc d\n)R.", ["@0"]),
    "INST": lambda: (b"(S'id'\nios\nsystem\n.", ["@0"]),
    "OBJ": lambda: (b"\x80\x02(cos\nsystem\nU\x02ido.", ["@0"]),
    "persistent ids, as torch writes": lambda: (b"\x80\x02ctorch._utils\n_rebuild\n(X\x01\x00\x00\x00aQtR.", ["@0"]),
}


def npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize("name", sorted(PICKLES))
def test_a_pickle_is_found(name: str) -> None:
    data, where = PICKLES[name]()
    found = found_in(data)
    assert found == where if where else len(found) == 1


def test_what_joblib_and_torch_write_is_found(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    joblib.dump({"w": np.arange(1000.0)}, tmp_path / "m.joblib")
    joblib.dump({"w": np.arange(1000.0)}, tmp_path / "m.z", compress=3)
    assert scan(tmp_path / "m.joblib", "any")["pickles"] == ["@0"]
    assert scan(tmp_path / "m.z", "any")["pickles"] == ["@0"]


CLEAN = {
    "weights": NOISE,
    "words": b"cat\ndog\nfish\nI am.\n(c) 2026\nN.B. read this.\n",
    "json": b'{"model": "x", "cos": [1, 2]}',
    "python": b"import os\ncos = 1\nc = [\n]\nprint(cos)\n",
    "numbers": npy(np.arange(1000)),
    "zip": zipped(b"plain text", "a.txt"),
    "short": b"N",
    "empty": b"",
    "a bad zip": b"PK\x05\x06" + bytes(18),
    "a bad gzip": b"\x1f\x8b\x08\x00nothing",
}


@pytest.mark.parametrize("name", sorted(CLEAN))
def test_what_is_no_pickle_is_not_called_one(name: str) -> None:
    assert found_in(CLEAN[name]) == []


@pytest.mark.parametrize("kind", ["float32", "float16", "int8", "uint8"])
def test_millions_of_weights_are_not_called_pickles(kind: str) -> None:
    chance = np.random.default_rng(7)
    weights = (chance.standard_normal(4_000_000) * (30 if "int" in kind else 1)).astype(kind)
    began = time.monotonic()
    assert found_in(weights.tobytes()) == []
    assert time.monotonic() - began < 10


@settings(max_examples=200)
@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8) | st.booleans(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
        | st.tuples(inner, inner) | st.frozensets(st.integers(), max_size=3),
    ),
    st.integers(0, 5),
)  # fmt: skip
def test_every_pickle_of_plain_data_is_followed_to_its_end(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    told = walk(data, 0)
    assert told.stopped and told.end == len(data)
    assert told.opcodes == sum(1 for _ in pickletools.genops(data))


ENDLESS: dict[str, Callable[[], bytes]] = {
    "marks": lambda: b"\x80\x04" + b"(" * 3_000_000,
    "doubling": lambda: b"\x80\x04N" + b"2" * 3_000_000,
    "headers": lambda: b"\x80\x04N" * 1_000_000,
    "lists": lambda: b"\x80\x04]" + b"](e" * 1_000_000,
    "imports": lambda: b"ca\nb\n" * 500_000,
    "memos": lambda: b"\x80\x04K\x01" + b"q\x00" * 1_000_000,
    "huge strings": lambda: b"\x80\x04X\xff\xff\xff\x7f" * 300_000,
    "zip bomb": lambda: zipped(bytes(64 << 20)),
    "gzip bomb": lambda: gzip.compress(bytes(200 << 20)),
}


@pytest.mark.parametrize("name", sorted(ENDLESS))
def test_looking_for_pickles_ends(name: str) -> None:
    data = ENDLESS[name]()
    began = time.monotonic()
    found_in(data)
    assert time.monotonic() - began < 15


def test_nothing_is_unpickled_or_imported(tmp_path: Path) -> None:
    """The child is followed by an audit hook of its own: no code object of the file, no process, no import by it."""
    canary = tmp_path / "canary"

    class Harm:
        def __reduce__(self) -> Any:
            return subprocess.call, (["touch", str(canary)],)

    for name, data in (
        ("a", pickle.dumps(Harm())),
        ("b", zipped(pickle.dumps(Harm()))),
        ("c", npy(np.array([Harm()]))),
    ):
        (tmp_path / name).write_bytes(data)
        for form in ("onnx", "safetensors", "json", "skops", "any"):
            assert scan(tmp_path / name, form)["pickles"]  # type: ignore[arg-type]
    assert not canary.exists()
