"""The digit network as one ONNX file: three graphs, of which the exporter wrote the middle one, merged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from network import CHANNELS, DigitCNN
from onnx import TensorProto, compose, helper, numpy_helper
from safetensors.torch import load_file
from torch import nn

OPSETS, IR = [helper.make_opsetid("", 20)], 10


def load(weights: Path) -> nn.Module:
    """The trained network, in evaluation mode."""
    network = DigitCNN(*CHANNELS)
    network.load_state_dict(load_file(weights))
    return network.eval()


def export(network: nn.Module, file: Path) -> None:
    """Write one file that holds graph and weights, for any number of images at a time."""
    program = torch.onnx.export(
        network,
        (torch.zeros(2, 1, 28, 28),),
        input_names=["pixels"],
        output_names=["scores"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=20,
        dynamo=True,
        verbose=False,
    )
    middle = program.model_proto
    for part in (middle.graph, *middle.graph.node, *middle.graph.value_info):
        del part.metadata_props[:]
    merged = compose.merge_models(before(), middle, io_map=[("centred", "pixels")])
    merged = compose.merge_models(merged, after(), io_map=[("scores", "raw")])
    onnx.checker.check_model(merged, full_check=True)
    onnx.save(merged, file)


def before() -> onnx.ModelProto:
    """Bytes to centred floats."""
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["floats", "channel"], ["planes"]),
        helper.make_node("Div", ["planes", "most"], ["shares"]),
        helper.make_node("Sub", ["shares", "centre"], ["shifted"]),
        helper.make_node("Div", ["shifted", "spread"], ["centred"]),
    ]
    constants = [numpy_helper.from_array(np.array([1], np.int64), "channel")]
    for name, value in (("most", 255), ("centre", 0.15), ("spread", 0.30)):
        constants.append(numpy_helper.from_array(np.array(value, np.float32), name))
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 28, 28])
    centred = helper.make_tensor_value_info("centred", TensorProto.FLOAT, ["batch", 1, 28, 28])
    graph = helper.make_graph(nodes, "before", [image], [centred], constants)
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=IR)


def after() -> onnx.ModelProto:
    """Scores to the answer."""
    nodes = [
        helper.make_node("ArgMax", ["raw"], ["label"], axis=1, keepdims=0),
        helper.make_node("Softmax", ["raw"], ["probabilities"], axis=1),
    ]
    raw = helper.make_tensor_value_info("raw", TensorProto.FLOAT, ["batch", 10])
    label = helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"])
    shares = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "after", [raw], [label, shares])
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=IR)
