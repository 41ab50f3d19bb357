"""Make the two models that exist to catch services: `slow` (fast's answers, late) and `constant` (always one answer).

python labs/common/make_models.py
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx
from frozen import MODELS, record
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 20, 10  # as the exporter writes them, and as onnxruntime 1.31 reads them
ROUNDS = 145_000
SIDE = 40  # onnxruntime hands products of up to 64 * 1024 multiplications to one thread only
PRODUCTS = 4
ANSWER = 1


def slow(fast: onnx.ModelProto) -> onnx.ModelProto:
    """`fast` with a wait of pure computation before its answer, the same at any batch size."""
    model = onnx.ModelProto()
    model.CopyFrom(fast)
    graph = model.graph
    logits = next(node.input[0] for node in graph.node if node.op_type == "Softmax")
    answers = [node for node in graph.node if logits in node.input]
    for node in answers:
        graph.node.remove(node)
        node.input[0] = "late_logits"
    graph.initializer.extend(_constants())
    graph.node.extend([*_wait(), helper.make_node("Add", [logits, "nothing"], ["late_logits"]), *answers])
    return model


def _constants() -> list[TensorProto]:
    return [
        numpy_helper.from_array(np.array(ROUNDS, dtype=np.int64), "rounds"),
        numpy_helper.from_array(np.array(True), "go"),
        numpy_helper.from_array(np.array([SIDE, SIDE], dtype=np.int64), "square"),
        numpy_helper.from_array(np.array(0, dtype=np.float32), "zero"),
    ]


def _wait() -> list[onnx.NodeProto]:
    # The loop starts from the pixels and its result, times zero, is added to the logits:
    # an optimiser can neither compute it ahead nor drop it. Averaging a mean keeps it finite.
    return [
        helper.make_node("Cast", ["image"], ["ink"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["ink"], ["mean_ink"], keepdims=0),
        helper.make_node("Expand", ["mean_ink", "square"], ["start"]),
        helper.make_node("Loop", ["rounds", "go", "start"], ["end"], body=_body()),
        helper.make_node("ReduceMean", ["end"], ["end_mean"], keepdims=0),
        helper.make_node("Mul", ["end_mean", "zero"], ["nothing"]),
    ]


def _body() -> onnx.GraphProto:
    average = numpy_helper.from_array(np.full((SIDE, SIDE), 1 / SIDE, dtype=np.float32), "average")
    names = ["state_in", *(f"product_{step}" for step in range(1, PRODUCTS)), "state_out"]
    products = [helper.make_node("MatMul", [before, "average"], [after]) for before, after in pairwise(names)]
    state = [SIDE, SIDE]
    return helper.make_graph(
        [helper.make_node("Identity", ["go_in"], ["go_out"]), *products],
        "wait",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_in", TensorProto.FLOAT, state),
        ],
        [
            helper.make_tensor_value_info("go_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_out", TensorProto.FLOAT, state),
        ],
        [average],
    )


def constant() -> onnx.ModelProto:
    """A model that reads the number of images and nothing else of them."""
    probabilities = np.full((1, 10), 0.01, dtype=np.float32)
    probabilities[0, ANSWER] = 0.91
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["image"], ["batch"], start=0, end=1),
            helper.make_node("Expand", ["one_label", "batch"], ["label"]),
            helper.make_node("Concat", ["batch", "ten"], ["table"], axis=0),
            helper.make_node("Expand", ["one_row", "table"], ["probabilities"]),
        ],
        "constant",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 28, 28])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10]),
        ],
        [
            numpy_helper.from_array(np.array([ANSWER], dtype=np.int64), "one_label"),
            numpy_helper.from_array(np.array([10], dtype=np.int64), "ten"),
            numpy_helper.from_array(probabilities, "one_row"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def main() -> None:
    """Write and record both models; `fast.onnx` has to be there."""
    made = {
        "slow": (slow(onnx.load(MODELS / "fast.onnx")), "fast's answers after about a second of one core"),
        "constant": (constant(), "one answer, whatever the pixels"),
    }
    for name, (model, about) in made.items():
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, MODELS / f"{name}.onnx")
        record(name, about)


if __name__ == "__main__":
    main()
