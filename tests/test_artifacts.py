"""Files that are none, headers that lie, JSON that readers disagree on: refused by name, within limits."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader import artifacts
from grader.artifacts import scan, strict
from grader.artifacts.child import FILE_BYTES, examine
from grader.errors import InfraError


def plain(folder: Path) -> Path:
    (folder / "file").write_bytes(b"x")
    return folder / "file"


def here(data: bytes, form: str = "onnx") -> dict[str, Any]:
    """The same without a process: for the many small cases."""
    return examine(data, -1, form, artifacts.STANDARD_DOMAINS)


def test_what_is_not_there_or_no_plain_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    told = {name: scan(tmp_path / name, "any")["file"]["problem"] for name in ("none", "link", "fifo", "folder")}
    assert told == {"none": "missing", "link": "link", "fifo": "missing", "folder": "missing"}
    assert scan(tmp_path / "file" / "below", "any")["file"]["problem"] == "missing"
    assert scan(tmp_path / ("x" * 300), "any")["file"]["problem"] == "missing"
    assert scan(tmp_path / "none", "onnx")["file"] == {
        "path": "none", "size": 0, "sha256": None, "gzip_size": None, "problem": "missing", "facts": {},
    }  # fmt: skip


def test_a_file_is_too_large_by_one_byte(tmp_path: Path) -> None:
    path = tmp_path / "zeros"
    for size, wanted in ((FILE_BYTES, None), (FILE_BYTES + 1, "too_large")):
        with path.open("wb") as file:
            file.truncate(size)
        found = scan(path, "any")["file"]
        assert (found["problem"], found["size"]) == (wanted, size)


def test_a_reader_that_dies_or_hangs_is_a_refusal_and_one_that_breaks_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plain(tmp_path)
    monkeypatch.setattr(artifacts, "WALL_SECONDS", 1)
    for script, wanted in (("import os; os.kill(os.getpid(), 9)", "too_large"), ("while True: pass", "too_large")):
        monkeypatch.setattr(artifacts, "_START", script)
        assert scan(path, "onnx")["file"]["problem"] == wanted
    monkeypatch.setattr(artifacts, "_START", "raise SystemExit('broken')")
    with pytest.raises(InfraError, match="artifact_reader"):
        scan(path, "onnx")


# --- safetensors


def packed(header: dict[str, Any] | bytes, body: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + body


def entry(dtype: str = "F32", shape: Any = (2,), begin: Any = 0, end: Any = 8) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape) if isinstance(shape, tuple) else shape, "data_offsets": [begin, end]}


def test_a_safetensors_file_is_told_by_its_header(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    arrays = {"b": np.zeros((2, 3), np.float32), "a": np.arange(4, dtype=np.uint8), "e": np.zeros((0, 7), np.int64)}
    numpy.save_file(arrays, tmp_path / "w.safetensors", metadata={"note": "é"})
    tensors = scan(tmp_path / "w.safetensors", "safetensors")["tensors"]
    assert tensors["metadata"] == {"note": "é"} and tensors["contiguous"] is True
    told = {
        row["name"]: (row["dtype"], row["shape"], row["zeros"], row["end"] - row["begin"]) for row in tensors["tensors"]
    }
    assert told == {"b": ("F32", [2, 3], 6, 24), "a": ("U8", [4], 1, 4), "e": ("I64", [0, 7], 0, 0)}


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (packed({"a": entry()}, bytes(8)), None),
        (packed(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   ', bytes(8)), None),
        (packed({}), None),
        (packed({"a": entry(shape=(), end=4)}, bytes(4)), None), (packed({"a": entry(shape=(0, 9), end=0)}), None),
        (b"", "format"), (b"\x02\0\0\0\0\0\0", "format"), (b"\xff" * 8 + b"{}", "format"), (packed(b"[]"), "format"),
        (packed(b" {}"), "format"), (packed(b"{} x"), "format"), (packed(b'{"a":1}'), "format"),
        (packed(b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{}}'), "format"),
        (packed({"a": entry("F33")}, bytes(8)), "format"), (packed({"a": entry(shape=(True,))}, bytes(8)), "format"),
        (packed({"a": entry(shape=(2.0,))}, bytes(8)), "format"), (packed({"a": entry(shape=(-2,))}), "format"),
        (packed({"a": entry() | {"x": 1}}, bytes(8)), "format"), (packed({"a": entry(begin=True)}), "format"),
        (packed({"__metadata__": {"a": 1}}), "format"), (packed(b'{"a":' + b"[" * 40 + b"]" * 40 + b"}"), "format"),
        (packed({"a": entry()}, bytes(9)), "data"), (packed({"a": entry()}, bytes(7)), "data"),
        (packed({"a": entry(shape=(3,))}, bytes(8)), "data"), (packed({"a": entry(begin=1, end=9)}, bytes(9)), "data"),
        (packed({"a": entry(), "b": entry()}, bytes(8)), "data"),
        (packed({"a": entry(), "b": entry(begin=12, end=20)}, bytes(20)), "data"),
        (packed({"a": entry(begin=8, end=0)}, bytes(8)), "data"),
        (packed({"a": entry(shape=(1 << 40, 1 << 40))}, bytes(8)), "data"),
    ],
)  # fmt: skip
def test_safetensors_headers_are_held_to_the_letter(data: bytes, wanted: str | None) -> None:
    found = here(data, "safetensors")
    assert found["file"]["problem"] == wanted
    assert ("tensors" in found) == (wanted is None)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_we_take_the_official_reader_takes_too(data: st.DataObject) -> None:
    """Headers put together at random from plausible pieces: the strict side may only err by refusing."""
    numpy = pytest.importorskip("safetensors.numpy")
    number = st.integers(0, 16)
    some = st.builds(
        entry, st.sampled_from(["F32", "U8", "I64", "F16", "XX"]), st.lists(number, max_size=2), number, number
    )
    header = data.draw(st.dictionaries(st.sampled_from("abc"), some, max_size=3))
    file = packed(header, bytes(data.draw(st.integers(0, 32))))
    if here(file, "safetensors")["file"]["problem"] is None:
        assert set(numpy.load(file)) == set(header)


# --- JSON, text, skops


@pytest.mark.parametrize(
    ("raw", "right"),
    [
        (b'{"a": [1, 2.5, true, null, "x"]}', True), (b"[" * 32 + b"]" * 32, True), (b"[" * 33 + b"]" * 33, False),
        (b'"' + b"[" * 50 + b'"', True), (b"[" * 100_000, False), (b'{"a":1,"a":2}', False), (b"NaN", False),
        (b"[Infinity]", False), (b"1e999", False), (b"1" * 20, True), (b"1" * 21, False), (b"\xff", False),
        (b"", False), (b"1 2", False), (b'{"\\ud800": 1}', False),
    ],
)  # fmt: skip
def test_json_is_strict(raw: bytes, right: bool) -> None:
    found = here(raw, "json")
    assert found["file"]["problem"] == (None if right else "format")
    assert ("json" in found) == right


def test_a_lone_surrogate_does_not_break_the_answer(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b'["\\ud800", "\\u00e9"]')
    assert scan(tmp_path / "x.json", "json")["file"]["problem"] == "format"


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(10**19), 10**19) | st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=20,
    )
)
def test_json_comes_back_as_it_went(value: Any) -> None:
    assert strict.load(json.dumps(value).encode()) == value


def test_text_is_utf_8() -> None:
    assert here("é\n".encode(), "text")["text"] == "é\n"
    assert here(b"\xe9", "text")["file"]["problem"] == "format"


def test_a_skops_file_is_told_by_its_types(tmp_path: Path) -> None:
    sio = pytest.importorskip("skops.io")
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    sio.dump(model, tmp_path / "m.skops")
    found = scan(tmp_path / "m.skops", "skops")
    assert found["file"]["problem"] is None and found["pickles"] == []
    assert "sklearn.linear_model._base.LinearRegression" in found["skops"]["types"]
    assert "schema.json" in found["skops"]["members"]
    assert here(b"PK\x05\x06" + bytes(18), "skops")["file"]["problem"] == "format"
    assert here(b"no zip", "skops")["file"]["problem"] == "format"
