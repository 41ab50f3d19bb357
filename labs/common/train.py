"""Train one of the course's networks, freeze its weights and export it with its preprocessing.

python labs/common/train.py fast      # or cnn384, mlp, lenet
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import digits
import onnx
import torch
from augment import augment
from frozen import MODELS, record
from networks import DigitCNN, DigitMLP, LeNet, Serve
from safetensors.torch import save_file
from torch import Tensor, nn

BATCH = 64


@dataclass(frozen=True)
class Recipe:
    """One network and how it trains. Its weights are kept beside the ONNX file where a lab trains it further."""

    about: str
    name: str
    make: Callable[[], nn.Module]
    epochs: int
    peak_rate: float = 3e-3
    keep_weights: bool = True


RECIPES = {
    "cnn384": Recipe(
        "the network of labs 02 and 03", "DigitCNN 32-64-128-384", partial(DigitCNN, 32, 64, 128, 384), epochs=8
    ),
    "fast": Recipe(
        "the small network that labs 04 to 08 serve",
        "DigitCNN 16-32-48-64",
        partial(DigitCNN, 16, 32, 48, 64),
        epochs=20,
    ),
    "mlp": Recipe(
        "lab 03: large matrices and no convolution",
        "DigitMLP 784-512-512-10",
        partial(DigitMLP, 512),
        epochs=60,
        peak_rate=1e-3,
        keep_weights=False,
    ),
    "lenet": Recipe("lab 03: a network too small to gain", "LeNet 6-16-120-84", LeNet, epochs=40, keep_weights=False),
}


def train(recipe: Recipe, seed: int) -> nn.Module:
    """A network trained on the training split, ready to serve."""
    torch.manual_seed(seed)
    split = digits.load("train")
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    network = recipe.make()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.peak_rate, weight_decay=1e-3)
    steps = recipe.epochs * -(-len(labels) // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.peak_rate, total_steps=steps, pct_start=0.2)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    network.train()
    for epoch in range(recipe.epochs):
        total = 0.0
        for chosen in torch.randperm(len(labels)).split(BATCH):  # type: ignore[no-untyped-call]
            optimiser.zero_grad()
            error = loss(network(augment(images[chosen])), labels[chosen])
            error.backward()
            optimiser.step()
            rate.step()
            total += error.item() * len(chosen)
        print(f"epoch {epoch + 1} of {recipe.epochs}: loss {total / len(labels):.3f}")
    # Channels last trains faster; exported so, the average pooling becomes a dozen nodes of index arithmetic.
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    network.eval()
    return network


def export(network: nn.Module, path: Path) -> None:
    """Write the network as one ONNX file: `image` uint8 [N, 28, 28] in, `label` and `probabilities` out."""
    torch.onnx.export(
        Serve(network).eval(),
        (torch.zeros(2, 28, 28, dtype=torch.uint8),),
        path,
        dynamo=True,
        dynamic_shapes={"image": {0: torch.export.Dim("batch")}},
        input_names=["image"],
        output_names=["label", "probabilities"],
        external_data=False,
        verbose=False,
    )
    onnx.save(_without_traces(onnx.load(path)), path)


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    # The exporter notes the stack trace of every node: bytes that a browser would download, and paths of this machine.
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph):
        del part.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    return model


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in network.state_dict().items()}


def main() -> None:
    """Train, freeze, export and record the network that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = RECIPES[options.name]
    network = train(recipe, options.seed)
    frozen = {}
    if recipe.keep_weights:
        weights = MODELS / f"{options.name}.safetensors"
        save_file(_weights(network), weights)
        frozen = {"weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    export(network, MODELS / f"{options.name}.onnx")
    record(
        options.name,
        recipe.about,
        network=recipe.name,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        epochs=recipe.epochs,
        seed=options.seed,
        **frozen,
    )


if __name__ == "__main__":
    main()
