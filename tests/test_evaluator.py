"""Models that crash, hang, answer nonsense or bring their own names: each request gets one strict answer."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.evaluator import arrays, inside, outside
from grader.evaluator.outside import answered

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "labs" / "common" / "models"
KINDS = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "string": TensorProto.STRING}
Row = dict[str, Any]


def fed(**given: np.ndarray[Any, Any]) -> Row:
    def entry(array: np.ndarray[Any, Any]) -> Row:
        if array.dtype.kind == "O":
            return {"dtype": "string", "shape": list(array.shape), "data": array.ravel().tolist()}
        data = base64.b64encode(array.tobytes()).decode()
        return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data}

    return {name: entry(array) for name, array in given.items()}


ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def asked(model: Any, /, **more: Any) -> Row:
    data = model if isinstance(model, bytes) else model.SerializeToString()
    files = {"model.onnx": data, **more.pop("beside", {})}
    request = {
        "files": {name: base64.b64encode(content).decode() for name, content in files.items()},
        "model": "model.onnx", "format": "onnx", "forward": None, "feed": fed(x=ROWS), "batches": [1], "pair": None,
    }  # fmt: skip
    return request | more


def ask(model: Any, /, **more: Any) -> Row:
    """One request to the evaluator as it is started in a room: a process of its own."""
    line = json.dumps(asked(model, **more)).encode() + b"\n"
    done = subprocess.run(
        [sys.executable, "-I", str(ROOT / "grader" / "evaluator")], input=line, capture_output=True, cwd="/", timeout=90
    )
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 1), done.stderr
    answer: Row = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(name))
    assert answer.keys() == {"problem", "message", "batches", "flags", "threads"}
    return answer


def here(tmp_path: Path, model: Any, /, **more: Any) -> Row:
    """The same without the processes around it."""
    folder = tmp_path / "room"
    folder.mkdir(exist_ok=True)
    return inside.evaluated(asked(model, **more), folder)


def graph(
    nodes: list[Any], *, kind: str = "float32", shape: Any = ("n", 3), out: Any = ("n", None), inits: Any = (),
    name: str = "x", gives: str = "float32",
) -> Any:  # fmt: skip
    made = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info(name, KINDS[kind], list(shape))],
        [helper.make_tensor_value_info("y", KINDS[gives], out and list(out))], list(inits),
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def doubled(**more: Any) -> Any:
    return graph([helper.make_node("Add", [more.get("name", "x")] * 2, ["y"])], **more)


def test_rows_are_run_one_by_one_and_batches_as_asked() -> None:
    answer = ask(doubled(), batches=[1, 3, 64])
    assert (answer["problem"], answer["message"], answer["threads"]) == (None, "", 1)
    assert [batch["batch"] for batch in answer["batches"]] == [1, 3, 64]
    assert answer["batches"][0]["outputs"] == {"y": (2 * ROWS).tolist()}
    assert answer["batches"][1]["outputs"] == {"y": (2 * ROWS[:3]).tolist()}
    assert np.array(answer["batches"][2]["outputs"]["y"]).shape == (64, 3)


def test_the_course_s_network_answers_alike_in_both_runtimes(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    model, feed = (MODELS / "fast.onnx").read_bytes(), fed(image=images)
    answers = [here(tmp_path, model, feed=feed, **{"with": way}) for way in ("ort", "reference")]
    assert [answer["problem"] for answer in answers] == [None, None]
    one, other = (np.array(answer["batches"][0]["outputs"]["probabilities"]) for answer in answers)
    assert one.shape == (3, 10) and np.abs(one - other).max() < 1e-5


def test_a_frozen_batch_runs_row_by_row_and_says_where_it_stops(tmp_path: Path) -> None:
    for way in ("ort", "reference"):
        answer = here(tmp_path, doubled(shape=(1, 3), out=(1, 3)), batches=[1, 2], **{"with": way})
        if way == "ort":
            assert answer["problem"] == "shape"
            assert "dimensions" in answer["message"]
            assert [batch["batch"] for batch in answer["batches"]] == [1]


def test_a_model_may_name_its_inputs_as_it_likes(tmp_path: Path) -> None:
    assert here(tmp_path, doubled(name="anything"))["batches"][0]["outputs"] == {"y": (2 * ROWS).tolist()}
    extra = here(tmp_path, doubled(), feed=fed(x=ROWS, z=ROWS))
    assert extra["problem"] == "shape"


def test_columns_of_words_and_numbers_go_in_and_words_come_out(tmp_path: Path) -> None:
    words = np.array([["a"], ["é"], ["a"]], dtype=object)
    model = graph([helper.make_node("Identity", ["x"], ["y"])], kind="string", shape=("n", 1), gives="string")
    answer = here(tmp_path, model, feed=fed(x=words))
    assert answer["batches"][0]["outputs"] == {"y": [["a"], ["é"], ["a"]]}


def constant(value: float) -> Any:
    """A column of one value, whatever comes in."""
    made = numpy_helper.from_array(np.array(value, dtype=np.float32), "v")
    zero = numpy_helper.from_array(np.array(0, dtype=np.float32), "zero")
    return graph([helper.make_node("Mul", ["x", "zero"], ["z"]), helper.make_node("Add", ["z", "v"], ["y"])],
                 inits=[made, zero])  # fmt: skip


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_json_cannot_say_is_named(tmp_path: Path, value: float) -> None:
    answer = here(tmp_path, constant(value))
    assert (answer["problem"], answer["batches"]) == ("not_finite", [])
    assert "y" in answer["message"]


def test_nine_digits_are_a_float32() -> None:
    numbers = np.random.default_rng(0).standard_normal(5_000).astype(np.float32) * np.float32(1e-7)
    assert np.array_equal(np.array(arrays.plain({"y": numbers})["y"], dtype=np.float32), numbers)


SCALAR = [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)]
SEQUENCE = [helper.make_node("SequenceConstruct", ["x"], ["y"])]


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        (b"", "load"), (b"no model", "load"), (b"\x80\x04N.", "load"),
        (graph([helper.make_node("NoSuchThing", ["x"], ["y"])]), "load"),
        (graph(SCALAR, out=None), "shape"), (doubled(kind="int64", gives="int64"), "shape"),
        (graph([helper.make_node("Reshape", ["x", "s"], ["y"])],
               inits=[numpy_helper.from_array(np.array([7, 7]), "s")]), "error"),
    ],
    ids=["empty", "text", "pickle", "operator", "scalar", "type", "runtime"],
)  # fmt: skip
def test_what_is_wrong_with_a_model_has_a_word(tmp_path: Path, model: Any, wanted: str) -> None:
    answer = here(tmp_path, model)
    assert answer["problem"] == wanted
    assert len(answer["message"]) <= 300


def test_an_output_that_is_no_tensor_is_a_shape(tmp_path: Path) -> None:
    model = graph(SEQUENCE)
    model.graph.output[0].type.CopyFrom(
        helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    )
    assert here(tmp_path, model)["problem"] == "shape"


def external() -> Any:
    model = graph([helper.make_node("Add", ["x", "w"], ["y"])], inits=[numpy_helper.from_array(ROWS[0], "w")])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "w.data"
    return model


def test_a_model_whose_data_stayed_at_home_does_not_load_and_with_them_it_does() -> None:
    assert ask(external())["problem"] == "load"
    answer = ask(external(), beside={"w.data": ROWS[0].tobytes()})
    assert answer["batches"][0]["outputs"] == {"y": (ROWS + ROWS[0]).tolist()}


LOOP = graph(
    [helper.make_node("Loop", ["many", "yes", "x"], ["y"], body=helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Add", ["v", "v"], ["w"])], "b",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("c", TensorProto.BOOL, []),
         helper.make_tensor_value_info("v", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("d", TensorProto.BOOL, []),
         helper.make_tensor_value_info("w", TensorProto.FLOAT, None)],
    ))],
    inits=[numpy_helper.from_array(np.array(1 << 60), "many"), numpy_helper.from_array(np.array(True), "yes")],
)  # fmt: skip


def test_an_endless_model_ends_with_its_time() -> None:
    began = time.monotonic()
    assert ask(LOOP, seconds=2)["problem"] == "timeout"
    assert time.monotonic() - began < 10


def test_a_model_that_wants_the_machine_s_memory_is_told_so() -> None:
    """Under a limit of address space, as a room without a container sets it."""
    shape = numpy_helper.from_array(np.array([1 << 20, 1 << 14]), "s")
    sums = helper.make_node("ReduceMax", ["big"], ["m"], keepdims=0)
    model = graph(
        [helper.make_node("ConstantOfShape", ["s"], ["big"]), sums, helper.make_node("Add", ["x", "m"], ["y"])],
        inits=[shape],
    )
    line = json.dumps(asked(model)).encode() + b"\n"
    command = 'ulimit -v 4000000; exec "$0" -I "$1"'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, str(ROOT / "grader" / "evaluator")], input=line, capture_output=True
    )
    assert json.loads(done.stdout)["problem"] == "memory"


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("import os; os.kill(os.getpid(), 9)", "memory"), ("import os; os.kill(os.getpid(), 11)", "error"),
        ("raise SystemExit(3)", "error"), ("print('{}')", "error"), ("print('[')", "error"),
        ("print('x' * 3_000_000)", "error"), ("import time; time.sleep(60)", "timeout"),
    ],
)  # fmt: skip
def test_however_the_inner_part_ends_there_is_an_answer(
    script: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = subprocess.run

    def instead(command: list[str], **options: Any) -> Any:
        return run([sys.executable, "-c", script], **options)

    monkeypatch.setattr(outside.subprocess, "run", instead)
    assert json.loads(answered(b'{"seconds": 1}'))["problem"] == wanted


@pytest.mark.parametrize("line", [b"", b"[]", b"{", b"null", b'{"seconds": "x"}', b"[" * 100_000])
def test_a_request_that_is_none_is_answered(line: bytes) -> None:
    assert json.loads(answered(line))["problem"] == "protocol"


def test_answers_that_fill_the_room_are_refused(tmp_path: Path) -> None:
    rows = np.zeros((2, 3), np.float32)
    many = numpy_helper.from_array(np.array([1, 200_000]), "s")
    model = graph([helper.make_node("ReduceSum", ["x"], ["t"]), helper.make_node("Expand", ["t", "s"], ["y"])],
                  inits=[many])  # fmt: skip
    assert ask(model, feed=fed(x=rows))["problem"] == "shape"


def test_a_file_s_name_stays_in_the_room(tmp_path: Path) -> None:
    answer = here(tmp_path, doubled(), beside={"../out": b"x"})
    assert (answer["problem"], (tmp_path / "out").exists()) == ("protocol", False)


# --- safetensors


FORWARD = "def forward(tensors, arrays):\n    return {'y': arrays['x'] @ tensors['w'].astype('float32')}\n"


def weights(dtype: str, raw: bytes, shape: list[int]) -> bytes:
    header = json.dumps({"w": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(raw)]}}).encode()
    return len(header).to_bytes(8, "little") + header + raw


def through(data: bytes, folder: Path, source: str = FORWARD, **more: Any) -> Row:
    return here(folder, b"", beside={"w": data}, model="w", format="safetensors", forward=source, **more)


def test_weights_run_through_the_lab_s_own_forward_pass(tmp_path: Path) -> None:
    column = np.array([[1.0], [2.0], [0.5]], dtype=np.float32)
    wide = (column.view(np.uint32) >> 16).astype(np.uint16)
    variants = {"F32": column, "F64": column.astype("f8"), "F16": column.astype("f2"), "BF16": wide}
    for dtype, array in variants.items():
        answer = through(weights(dtype, array.tobytes(), [3, 1]), tmp_path, batches=[1, 4])
        assert answer["problem"] is None, answer
        assert [batch["outputs"]["y"] for batch in answer["batches"]] == [(ROWS @ column).tolist()] * 2


@pytest.mark.parametrize(
    ("data", "source", "wanted"),
    [
        (weights("F32", bytes(12), [3, 1]), "def forward(tensors, arrays): return {'y': tensors['v']}", "error"),
        (weights("F32", bytes(8), [2, 1]), FORWARD, "error"), (weights("F8_E5M2", bytes(3), [3, 1]), FORWARD, "load"),
        (b"x", FORWARD, "load"), (weights("F32", bytes(12), [3, 1]), "def forward(t, a): return {'y': 'x'}", "shape"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_have_a_word(tmp_path: Path, data: bytes, source: str, wanted: str) -> None:
    assert through(data, tmp_path, source)["problem"] == wanted


# --- pairs


def test_a_pair_is_timed_in_turns_on_one_thread() -> None:
    """The heavier network must come out slower, call by call in the middle of the samples."""
    images = np.zeros((2, 28, 28), np.uint8)
    answer = ask(
        (MODELS / "fast.onnx").read_bytes(), beside={"cnn384.onnx": (MODELS / "cnn384.onnx").read_bytes()},
        feed=fed(image=images), pair="cnn384.onnx", batches=[1, 8], rounds=3,
    )  # fmt: skip
    assert (answer["problem"], answer["threads"]) == (None, 1)
    assert [(row["batch"], len(row["mine"]), len(row["reference"])) for row in answer["batches"]] == [
        (1, 15, 15), (8, 6, 6),
    ]  # fmt: skip
    for row in answer["batches"]:
        assert min(row["mine"]) > 0 and np.median(row["reference"]) > 1.5 * np.median(row["mine"])
    assert answer["flags"] == sorted(answer["flags"])


def test_a_pair_that_does_not_load_is_told(tmp_path: Path) -> None:
    assert here(tmp_path, b"x", beside={"p": doubled().SerializeToString()}, pair="p")["problem"] == "load"
