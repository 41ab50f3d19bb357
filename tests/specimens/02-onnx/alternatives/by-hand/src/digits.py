"""The digit network as one ONNX file, written operator by operator; PyTorch has no part in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

LAYERS = ((1, True), (5, False), (8, True), (12, False), (15, False))  # convolution, and whether a pooling follows
Weights = dict[str, np.ndarray]


def load(weights: Path) -> Weights:
    """The trained weights."""
    return load_file(weights)


def export(weights: Weights, file: Path) -> None:
    """Write one file that holds graph and weights, for any number of images at a time."""
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["floats", "channel"], ["planes"]),
        helper.make_node("Mul", ["planes", "scale"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "centre"], ["pixels"]),
    ]
    constants = {
        "channel": np.array([1], np.int64),
        "scale": np.array(1 / (255 * 0.30), np.float32),
        "centre": np.array(0.15 / 0.30, np.float32),
        "dense": weights["21.weight"],
        "bias": weights["21.bias"],
    }
    last = "pixels"
    for layer, pooled in LAYERS:
        constants |= folded(weights, layer)
        convolution = [last, f"kernel{layer}", f"bias{layer}"]
        nodes.append(helper.make_node("Conv", convolution, [f"conv{layer}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"conv{layer}"], [f"relu{layer}"]))
        last = f"relu{layer}"
        if pooled:
            nodes.append(helper.make_node("MaxPool", [last], [f"pool{layer}"], kernel_shape=[2, 2], strides=[2, 2]))
            last = f"pool{layer}"
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense", "bias"], ["scores"], transB=1),
        helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    model = helper.make_model(graph(nodes, constants), opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)


def folded(weights: Weights, layer: int) -> Weights:
    """A convolution and the batch normalisation after it as one convolution."""
    norm = {name: weights[f"{layer + 1}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")}
    factor = norm["weight"] / np.sqrt(norm["running_var"] + 1e-5)
    kernel = weights[f"{layer}.weight"] * factor[:, None, None, None]
    return {f"kernel{layer}": kernel, f"bias{layer}": norm["bias"] - norm["running_mean"] * factor}


def graph(nodes: list[onnx.NodeProto], constants: Weights) -> onnx.GraphProto:
    """The graph with the signature of the contract."""
    return helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 28, 28])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10]),
        ],
        [numpy_helper.from_array(np.asarray(value, value.dtype), name) for name, value in constants.items()],
    )
