"""The digit network as one ONNX file: raw pixels in, label and probabilities out."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from network import CHANNELS, DigitCNN
from safetensors.torch import load_file
from torch import Tensor, nn


class Served(nn.Module):
    """The network with what stands before and after it, so that no caller has to know either."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        network[0] = self.scaling()
        self.network = network

    @staticmethod
    def scaling() -> nn.Module:
        """Division and centring as a layer: batch normalisation with fixed figures."""
        layer = nn.BatchNorm2d(1, eps=0, affine=False)
        layer.running_mean.fill_(255 * 0.15)
        layer.running_var.fill_((255 * 0.30) ** 2)
        return layer

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.network(image.float().unsqueeze(1))
        return scores.argmax(dim=1), scores.softmax(dim=1)


def load(weights: Path) -> Served:
    """The trained network, in evaluation mode."""
    network = DigitCNN(*CHANNELS)
    network.load_state_dict(load_file(weights))
    return Served(network).eval()


def export(served: nn.Module, file: Path) -> None:
    """Write one file that holds graph and weights, for any number of images at a time."""
    example = torch.zeros(2, 28, 28, dtype=torch.uint8)  # one image would look like a constant
    torch.onnx.export(
        served,
        (example,),
        file,
        input_names=["image"],
        output_names=["label", "probabilities"],
        dynamic_shapes={"image": {0: torch.export.Dim("batch")}},
        opset_version=20,
        external_data=False,
        dynamo=True,
        verbose=False,
    )
    onnx.save(_without_traces(onnx.load(file)), file)


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """The exporter notes folder names and source lines of this machine beside each node: nobody's business."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    return model
