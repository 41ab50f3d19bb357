"""Models that reach outside, hide weights, lie about their size or never end: refused by name, and none is loaded."""

from __future__ import annotations

import gzip
import os
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader import artifacts
from grader.artifacts import scan
from grader.artifacts.child import examine
from grader.artifacts.dtypes import ONNX

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

COMMON = Path(__file__).resolve().parents[1] / "labs" / "common"
Onnx = Any


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
        bits = width or ONNX[dtype].bits
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
