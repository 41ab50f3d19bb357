"""Given code of lab 03: load, run, train and export. What you are to think about stands in the notebook, not here."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.quantization.shape_inference import quant_pre_process
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors
from torch import Tensor, nn

HERE = Path(__file__).parent  # beside it: the digits, the networks, and the models in models/
sys.path.insert(0, str(HERE))

from augment import augment  # noqa: E402
from networks import DigitCNN, Serve  # noqa: E402

logging.disable(logging.WARNING)  # torch misses torchvision, ONNX Runtime the preparation that we have made
torch.set_num_threads(1)  # these networks are small: a second thread would mostly wait for the first
LEVELS = {
    "off": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


def load_digits() -> dict[str, np.ndarray]:
    """`images` uint8 [N, 28, 28], `labels` uint8 [N], and `split`: 0 for training, 1 for held out."""
    return load_file(HERE / "digits.safetensors")


def prepare(model: Path, out: Path) -> None:
    """The model with shapes inferred and constants folded: what both ways of quantizing start from."""
    quant_pre_process(model, out)


def open_model(path: Path, level: str = "all") -> ort.InferenceSession:
    """The model on one thread, with the graph optimisations up to `level`: off, basic, extended or all."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = LEVELS[level]
    options.log_severity_level = 3
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def caller(path: Path, images: np.ndarray, level: str = "all") -> Callable[[], Any]:
    """A function without arguments that runs the model on `images`: what `wb.measure` times."""
    session = open_model(path, level)
    return lambda: session.run(None, {"image": images})


def openvino_caller(path: Path, images: np.ndarray, precision: str | None = None) -> Callable[[], Any]:
    """The same model compiled by OpenVINO on one thread; `precision` "f32" or "bf16", None for its own choice."""
    import openvino as ov

    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
    if precision:
        settings["INFERENCE_PRECISION_HINT"] = precision
    compiled = ov.Core().compile_model(str(path), "CPU", settings)
    request = compiled.create_infer_request()
    return lambda: list(request.infer({"image": images}).values())


def count_right(path: Path, images: np.ndarray, labels: np.ndarray) -> int:
    """How many of the images the ONNX model reads."""
    return int((open_model(path).run(["label"], {"image": images})[0] == labels).sum())


def count_right_torch(network: nn.Module, images: np.ndarray, labels: np.ndarray) -> int:
    """How many of the images a torch network reads."""
    network.eval()
    with torch.no_grad():
        found = network(torch.from_numpy(images)).argmax(dim=1).numpy()
    return int((found == labels).sum())


def wilson(right: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Between which two shares the true accuracy lies, with 95 chances in 100 (Wilson's interval, 1927)."""
    share, extra = right / of, z * z / of
    middle = share + extra / 2
    reach = z * np.sqrt(share * (1 - share) / of + extra / (4 * of))
    return float((middle - reach) / (1 + extra)), float((middle + reach) / (1 + extra))


def load_fast() -> DigitCNN:
    """The small network of the course in torch, with its trained weights."""
    network = DigitCNN(16, 32, 48, 64)
    network.load_state_dict(load_tensors(HERE / "models" / "fast.safetensors"))
    return network


def weights_of(network: nn.Module) -> list[nn.Parameter]:
    """The weights that can be pruned: those of convolutions and linear layers."""
    return [part.weight for part in network.modules() if isinstance(part, nn.Conv2d | nn.Linear)]


def train(
    network: nn.Module, digits: dict[str, np.ndarray], epochs: int, after_step: Callable[[], None], rate: float = 3e-3
) -> None:
    """Train on for some epochs as the course's networks were trained; `after_step` is called after every step."""
    chosen = digits["split"] == 0
    images, labels = torch.from_numpy(digits["images"][chosen]), torch.from_numpy(digits["labels"][chosen]).long()
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
    steps = epochs * -(-len(labels) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.2)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(64):
            optimiser.zero_grad()
            loss(network(augment(images[rows])), labels[rows]).backward()
            optimiser.step()
            schedule.step()
            after_step()
    network.eval()


def narrow(network: DigitCNN, keep: float) -> DigitCNN:
    """A thinner network: of each layer the filters that weigh most, the others cut out together with their inputs."""
    layers = list(network)
    places = [at for at, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    state, kept = network.state_dict(), [_strongest(layers[at], layers[at + 1], keep) for at in places]
    before = torch.arange(1)
    for at, rows in zip(places, kept, strict=True):
        state[f"{at}.weight"] = state[f"{at}.weight"][rows][:, before]
        for name in ("weight", "bias", "running_mean", "running_var"):
            state[f"{at + 1}.{name}"] = state[f"{at + 1}.{name}"][rows]
        before = rows
    last = next(at for at, layer in enumerate(layers) if isinstance(layer, nn.Linear))
    state[f"{last}.weight"] = state[f"{last}.weight"][:, before]
    thinner = DigitCNN(*(len(rows) for rows in kept[:4]))
    thinner.load_state_dict(state)
    return thinner


def prune_int8(model: Path, share: float, out: Path) -> None:
    """Put the smallest int8 weights of a quantized file to zero: what is left to do once a network is quantized."""
    graph = onnx.load(model)
    tensors = [one for one in graph.graph.initializer if one.data_type == onnx.TensorProto.INT8 and len(one.dims) > 1]
    values = [onnx.numpy_helper.to_array(tensor) for tensor in tensors]
    threshold = np.quantile(np.abs(np.concatenate([value.ravel() for value in values]).astype(np.int16)), share)
    for tensor, value in zip(tensors, values, strict=True):
        kept = np.where(np.abs(value.astype(np.int16)) > threshold, value, np.int8(0))
        tensor.CopyFrom(onnx.numpy_helper.from_array(kept, tensor.name))
    onnx.save(graph, out)


def _strongest(convolution: nn.Module, normalisation: nn.Module, keep: float) -> Tensor:
    # The normalisation behind it scales a filter: what counts is what leaves both.
    scale = normalisation.weight.detach().abs() / normalisation.running_var.sqrt()
    strength = convolution.weight.detach().abs().sum(dim=(1, 2, 3)) * scale
    return strength.topk(max(1, round(keep * len(strength)))).indices.sort().values


def export(network: nn.Module, path: Path) -> None:
    """Write the network as one ONNX file with the signature of the service, as in lab 02."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
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
    model = onnx.load(path)
    for part in (*model.graph.node, *model.graph.value_info, model.graph):
        del part.metadata_props[:]
    onnx.save(model, path)
