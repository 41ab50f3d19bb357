"""Models that reach outside, hide code, lie about their size or never end: refused by name, and none is ever loaded."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import pickletools
import struct
import subprocess
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader import artifacts
from grader.artifacts import scan, strict
from grader.artifacts.child import FILE_BYTES, examine
from grader.artifacts.opcodes import walk
from grader.artifacts.pickles import Finder
from grader.errors import InfraError

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

COMMON = Path(__file__).resolve().parents[1] / "labs" / "common"
Onnx = Any


# --- models


def linear(weights: np.ndarray[Any, Any] | None = None, **more: Any) -> Onnx:
    """y = x @ weights, with an opset that everything of today reads."""
    array = np.array([[3.0], [-2.0], [1.0]], dtype=np.float32) if weights is None else weights
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(array, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, **more)


def put(folder: Path, model: Onnx | bytes, name: str = "model.onnx") -> Path:
    path = folder / name
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


def problem(folder: Path, model: Onnx | bytes, **options: Any) -> str | None:
    found: str | None = scan(put(folder, model), "onnx", **options)["file"]["problem"]
    return found


def here(data: bytes, form: str = "onnx") -> dict[str, Any]:
    """The same without a process: for the many small cases."""
    return examine(data, -1, form, artifacts.STANDARD_DOMAINS)


def external(location: str, *more: tuple[str, str], size: bytes | None = None) -> Onnx:
    model = linear()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), *more):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return model


def test_a_model_is_told_by_its_graph(tmp_path: Path) -> None:
    found = scan(put(tmp_path, linear()), "onnx")
    assert found["file"]["problem"] is None and found["pickles"] == []
    assert found["file"]["size"] == (tmp_path / "model.onnx").stat().st_size
    assert found["file"]["gzip_size"] == len(gzip.compress((tmp_path / "model.onnx").read_bytes(), mtime=0))
    graph = found["graph"]
    assert (graph["ir"], graph["opsets"]) == (9, {"ai.onnx": 17})
    assert graph["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["batch", 3]}]
    assert graph["outputs"] == [{"name": "y", "dtype": "float32", "shape": ["batch", 1]}]
    assert graph["nodes"] == [
        {"op": "MatMul", "domain": "ai.onnx", "inputs": ["x", "w"], "outputs": ["y"], "attributes": {}, "depth": 1}
    ]
    assert graph["initializers"] == [
        {"name": "w", "dtype": "float32", "shape": [3, 1], "where": "initializer", "bytes": 12, "zeros": 0,
         "external": None, "values": [3.0, -2.0, 1.0], "commonest": None}
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["cnn384", "fast", "slow", "constant"])
def test_the_course_s_models_are_clean_and_read_as_onnx_reads_them(name: str) -> None:
    path = COMMON / "models" / f"{name}.onnx"
    found, model = scan(path, "onnx"), onnx.load(path)
    assert found["file"]["problem"] is None and found["pickles"] == []
    outer = [node["op"] for node in found["graph"]["nodes"] if node["depth"] == 1]
    assert outer == [node.op_type for node in model.graph.node]
    held = [row for row in found["graph"]["initializers"] if row["where"] == "initializer"]
    arrays = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    assert {row["name"]: tuple(row["shape"]) for row in held} == {name: each.shape for name, each in arrays.items()}
    assert {row["name"]: row["bytes"] for row in held} == {name: each.nbytes for name, each in arrays.items()}
    assert {row["name"]: row["zeros"] for row in held} == {
        name: int(each.size - np.count_nonzero(each)) for name, each in arrays.items()
    }


@pytest.mark.parametrize("dtype", range(1, 27))
def test_every_element_type_is_counted_as_onnx_counts_it(dtype: int) -> None:
    """Raw and typed, with one zero among five elements: what the widths say must be what ONNX itself writes."""
    if dtype == TensorProto.STRING:
        tensor = helper.make_tensor("w", dtype, [5], [b"a", b"", b"c", b"d", b"e"])
        size = 4
    else:
        values = [1, 1, 0, 1, 1]
        tensor = helper.make_tensor("w", dtype, [5], values)
        width = {TensorProto.COMPLEX64: 64, TensorProto.COMPLEX128: 128}.get(dtype)
        bits = width or artifacts.child.weights.dtypes.ONNX[dtype].bits
        size = (5 * bits + 7) // 8
    model = linear()
    model.graph.initializer.append(tensor)
    found = here(model.SerializeToString())
    assert found["file"]["problem"] is None, found["file"]
    row = found["graph"]["initializers"][1]
    assert row["bytes"] == size
    assert row["zeros"] in (1, None)
    if dtype in (TensorProto.FLOAT, TensorProto.INT8, TensorProto.INT64, TensorProto.FLOAT16, TensorProto.UINT8):
        assert row["zeros"] == 1
        raw = numpy_helper.from_array(numpy_helper.to_array(tensor), "r")
        model.graph.initializer.append(raw)
        assert here(model.SerializeToString())["graph"]["initializers"][2]["zeros"] == 1


def test_both_zeros_of_a_float_are_zeros() -> None:
    found = here(linear(np.array([[0.0], [-0.0], [1e-40]], dtype=np.float32)).SerializeToString())
    assert found["graph"]["initializers"][0]["zeros"] == 2


def test_a_pruned_weight_may_be_a_zero_point() -> None:
    model = linear()
    model.graph.initializer.append(numpy_helper.from_array(np.array([128] * 9 + [3], dtype=np.uint8), "q"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([-3] * 9 + [3], dtype=np.int8), "p"))
    rows = here(model.SerializeToString())["graph"]["initializers"]
    assert [row["commonest"] for row in rows[1:]] == [[128, 9], [-3, 9]]


def test_weights_in_constants_attributes_and_inner_graphs_are_seen() -> None:
    """Whoever counts how much of a model is int8 must see all of it."""
    model = linear()
    array = np.ones(100, dtype=np.float32)
    inner = helper.make_graph([], "then", [], [], [numpy_helper.from_array(array, "hidden")])
    model.graph.node.extend([
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(array)),
        helper.make_node("Constant", [], ["f"], value_floats=[0.5] * 100),
        helper.make_node("If", ["x"], ["z"], then_branch=inner, else_branch=inner),
    ])  # fmt: skip
    rows = here(model.SerializeToString())["graph"]["initializers"]
    told = [(row["name"], row["where"], row["bytes"]) for row in rows[1:]]
    assert told == [("c", "constant", 400), ("f", "attribute", 400), ("hidden", "inner", 400), ("hidden", "inner", 400)]


# --- models that break a rule


def test_data_beside_the_model_are_read_where_they_are_plainly_there(tmp_path: Path) -> None:
    (tmp_path / "w.data").write_bytes(b"----" + np.array([0, 1, 2], dtype=np.float32).tobytes())
    found = scan(put(tmp_path, external("w.data", ("offset", "4"), ("length", "12"))), "onnx")
    assert found["file"]["problem"] is None
    assert found["file"]["facts"] == {"external": ["w.data"]}
    row = found["graph"]["initializers"][0]
    assert (row["external"], row["zeros"]) == ({"location": "w.data", "offset": 4, "length": 12}, 1)


@pytest.mark.parametrize(
    "location",
    ["../w.data", "/etc/passwd", "sub/../../x", "sub/w.data", "", ".", "..", "a\\b", "C:w", "w\x00d", "none"],
)
def test_data_anywhere_else_are_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "w.data").write_bytes(bytes(12))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "w.data").write_bytes(bytes(12))
    assert problem(tmp_path, external(location)) == "external"


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_data_in_something_else_than_a_file_are_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "real").write_bytes(bytes(12))
    if kind == "link":
        (tmp_path / "w").symlink_to("real")
    elif kind == "fifo":
        os.mkfifo(tmp_path / "w")
    else:
        (tmp_path / "w").mkdir()
    assert problem(tmp_path, external("w")) == "external"


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ([("offset", "8")], "external"), ([("offset", "-1")], "external"), ([("offset", "1e1")], "external"),
        ([("length", "13")], "external"), ([("length", "9" * 40)], "external"), ([("length", "8")], "data"),
        ([("basepath", "/etc")], "metadata"), ([("location", "w")], "metadata"), ([("checksum", "x")], None),
    ],
)  # fmt: skip
def test_offsets_lengths_and_keys_of_outside_data_are_held_to_the_file(
    tmp_path: Path, more: list[tuple[str, str]], wanted: str | None
) -> None:
    (tmp_path / "w").write_bytes(bytes(12))
    if more == [("offset", "8")]:
        wanted = "data"  # four bytes are there, twelve are needed
    assert problem(tmp_path, external("w", *more)) == wanted


def test_a_region_named_often_is_counted_often(tmp_path: Path) -> None:
    """Ten thousand tensors over one file would fill the memory of whoever loads them."""
    (tmp_path / "w").write_bytes(bytes(30 << 20))
    model = external("w")
    del model.graph.initializer[:]
    for number in range(5):
        tensor = external("w").graph.initializer[0]
        tensor.name, tensor.data_type = f"w{number}", TensorProto.UINT8
        del tensor.dims[:]
        tensor.dims.append(30 << 20)
        model.graph.initializer.append(tensor)
    assert problem(tmp_path, model) == "external"


def oversized(shape: list[int]) -> Onnx:
    model = linear()
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(shape)
    return model


@pytest.mark.parametrize(
    "shape", [[4], [2], [3, 2], [-3, -1], [1 << 40], [1 << 62, 4], [50_000_001], [1] * 33, [1 << 40, 0]]
)
def test_a_shape_that_its_bytes_do_not_fill_is_refused(shape: list[int]) -> None:
    found = here(oversized(shape).SerializeToString())
    assert found["file"]["problem"] == "data"
    assert "graph" not in found


def test_data_said_twice_are_refused() -> None:
    model = linear()
    model.graph.initializer[0].float_data.extend([1.0, 2.0, 3.0])
    assert here(model.SerializeToString())["file"]["problem"] == "data"


def test_foreign_operators_are_refused_unless_the_lab_lets_them_in(tmp_path: Path) -> None:
    model = linear()
    model.graph.node[0].domain = "com.microsoft"
    assert problem(tmp_path, model) == "domain"
    assert problem(tmp_path, model, domains=(*artifacts.STANDARD_DOMAINS, "com.microsoft")) is None
    model.graph.node[0].domain = "ai.onnx.ml"
    assert problem(tmp_path, model) is None


def test_functions_of_the_model_s_own_are_operators() -> None:
    model = linear()
    model.functions.append(
        helper.make_function("own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [])
    )
    model.graph.node.append(helper.make_node("Twice", ["y"], ["z"], domain="own"))
    found = here(model.SerializeToString())
    assert found["file"]["problem"] is None
    assert [node["op"] for node in found["graph"]["nodes"]] == ["MatMul", "Twice", "Add"]
    model.functions[0].node[0].domain = "evil"
    assert here(model.SerializeToString())["file"]["problem"] == "domain"


def nested(depth: int) -> Onnx:
    node = helper.make_node("Identity", ["x"], ["y"])
    for _ in range(depth - 1):
        node = helper.make_node("If", ["x"], ["y"], then_branch=helper.make_graph([node], "g", [], []))
    model = linear()
    model.graph.node.append(node)
    return model


@pytest.mark.parametrize(("depth", "wanted"), [(8, None), (9, "depth"), (20, "depth")])
def test_graphs_in_graphs_end_somewhere(depth: int, wanted: str | None) -> None:
    assert here(nested(depth).SerializeToString())["file"]["problem"] == wanted


@pytest.mark.parametrize(("count", "wanted"), [(20_000, None), (20_001, "nodes")])
def test_so_many_nodes_and_not_one_more(count: int, wanted: str | None) -> None:
    model = linear()
    model.graph.node.extend([helper.make_node("Relu", ["y"], ["z"])] * (count - 1))
    found = here(model.SerializeToString())
    assert found["file"]["problem"] == wanted
    if wanted is None:
        assert (len(found["graph"]["nodes"]), found["graph"]["node_count"]) == (5_000, count)


def test_training_information_is_refused() -> None:
    model = linear()
    model.training_info.add()
    assert here(model.SerializeToString())["file"]["problem"] == "training"


def test_a_file_that_unpickles_is_no_model(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return os.system, ("touch pwned",)

    found = scan(put(tmp_path, pickle.dumps(Harm())), "onnx")
    assert (found["file"]["problem"], found["pickles"]) == ("format", ["@0"])


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x00", b"\x08", b"\x3a", b"\x3a\x7f", b"\x3a\x00", b"\x08\x09", b"\xff" * 40, b"\x0b\x0c", b"x" * 1000,
        b"\x08\x09\x3a\x00\x3a\x00",
    ],
)  # fmt: skip
def test_what_is_no_message_is_no_model(data: bytes) -> None:
    assert here(data)["file"]["problem"] == "format"


def test_a_merged_message_is_refused() -> None:
    """Protocol Buffers joins two values of one field; a reader that took the last one would see another model."""
    raw = linear().SerializeToString()
    assert here(raw + raw)["file"]["problem"] == "format"


def test_millions_of_tiny_fields_cost_seconds_not_minutes(tmp_path: Path) -> None:
    began = time.monotonic()
    flood = b"\x72\x00" * (12 << 20)  # empty metadata entries
    assert problem(tmp_path, linear().SerializeToString() + flood) == "nodes"
    assert time.monotonic() - began < 20


# --- files that are none


def test_what_is_not_there_or_no_plain_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    told = {name: scan(tmp_path / name, "any")["file"]["problem"] for name in ("none", "link", "fifo", "folder")}
    assert told == {"none": "missing", "link": "link", "fifo": "missing", "folder": "missing"}
    assert scan(tmp_path / "file" / "below", "any")["file"]["problem"] == "missing"
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
    path = put(tmp_path, linear())
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
        (packed({"a": entry(shape=(), end=4)}, bytes(4)), None),
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


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
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


# --- pickles


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


@settings(max_examples=200, deadline=None)
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
