"""Make the specimens of lab 03 from its solution: each mutant breaks one thing, each alternative is another right way.

grader start 03 /tmp/lab03 && python tests/specimens/03-quantization/make.py /tmp/lab03/data [NAME ...]

The files are committed, as the models are; `expect.toml` beside them is written by hand.
"""

from __future__ import annotations

import copy
import importlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
SOLUTION = HERE.parents[2] / "solutions" / "03-quantization"
sys.path.insert(0, str(SOLUTION))

from src import prune, quantize  # noqa: E402
from src.make import sizes  # noqa: E402

DATA = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path()
MODELS = DATA / "models"
sys.path.insert(0, str(DATA))
tools: Any = importlib.import_module("tools")
Specimen = Callable[[Path], None]


def calibration_images() -> np.ndarray:
    """The images with which the solution calibrated."""
    noted = json.loads((SOLUTION / "artifacts" / "calibration.json").read_text(encoding="utf-8"))
    images: np.ndarray = tools.load_digits()["images"][noted["indices"]]
    return images


def results(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The solution's results with one change."""
    found = json.loads((SOLUTION / "results.json").read_text(encoding="utf-8"))
    change(found)
    (folder / "results.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def artifacts(folder: Path) -> Path:
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    return folder / "artifacts"


def note_sizes(folder: Path) -> None:
    """The results with the true sizes of what is pruned in this specimen, the solution's where it is not."""
    measured = {}
    for name in ("pruned.safetensors", "pruned_int8.onnx"):
        own = folder / "artifacts" / name
        measured[name] = sizes(own if own.is_file() else SOLUTION / "artifacts" / name)
    results(folder, lambda found: found["notes"].update(sizes=measured))


# --- mutants ----------------------------------------------------------------------------------------


def mlp_size_float_copy(folder: Path) -> None:
    """The float copy of one matrix stays in the file; no node reads it."""
    model = onnx.load(SOLUTION / "artifacts" / "mlp_int8.onnx")
    wide = next(one for one in onnx.load(MODELS / "mlp.onnx").graph.initializer if list(one.dims) == [512, 512])
    left = TensorProto()
    left.CopyFrom(wide)
    left.name = "left_over"
    model.graph.initializer.append(left)
    onnx.save(model, artifacts(folder) / "mlp_int8.onnx")


def mlp_acc_outlier(folder: Path) -> None:
    """One weight of an always black pixel is huge: a single scale for its matrix leaves nothing of the others."""
    model = onnx.load(MODELS / "mlp.onnx")
    first = next(one for one in model.graph.initializer if 784 in one.dims)
    values = numpy_helper.to_array(first).copy()
    values[0, 0] = 100.0
    first.CopyFrom(numpy_helper.from_array(values, first.name))
    with tempfile.TemporaryDirectory() as scratch:
        onnx.save(model, Path(scratch) / "outlier.onnx")
        quantize.quantize_on_the_fly(Path(scratch) / "outlier.onnx", artifacts(folder) / "mlp_int8.onnx")


def mlp_int8_small_float(folder: Path) -> None:
    """A float32 network a quarter as large, and a good one."""
    torch.manual_seed(0)
    network = tools.DigitCNN(16, 32, 64, 96)
    tools.train(network, tools.load_digits(), 12, lambda: None)
    tools.export(network, artifacts(folder) / "mlp_int8.onnx")


def cnn_static_dynamic(folder: Path) -> None:
    quantize.quantize_on_the_fly(MODELS / "cnn384.onnx", artifacts(folder) / "cnn_int8.onnx")


def cnn_speed_unsigned_weights(folder: Path) -> None:
    """Right in every respect but the type of the weights, for which there is no fast instruction."""
    static("cnn384.onnx", artifacts(folder) / "cnn_int8.onnx", weight_type=QuantType.QUInt8)


def cnn_acc_black_images(folder: Path) -> None:
    """The reader divides by 255 although the graph does: as uint8, next to nothing is left of any image."""
    black = (calibration_images() / 255).astype(np.uint8)
    quantize.quantize_calibrated(MODELS / "cnn384.onnx", artifacts(folder) / "cnn_int8.onnx", black)


def cnn_calib_held_out(folder: Path) -> None:
    """Calibrated on the exam. The model is the solution's: nobody can see in the scales which digits made them."""
    digits = tools.load_digits()
    rows = np.flatnonzero(digits["split"] == 1)[:256]
    note = json.dumps(quantize.calibration_note(digits["images"], rows))
    (artifacts(folder) / "calibration.json").write_text(note + "\n", encoding="utf-8")


def speed_protocol_means(folder: Path) -> None:
    """Means instead of samples."""

    def change(found: dict[str, Any]) -> None:
        for measure in found["measures"].values():
            measure["samples"] = {name: [sum(each) / len(each)] for name, each in measure["samples"].items()}

    results(folder, change)


def speed_honest_times_three(folder: Path) -> None:
    """The slide's figure everywhere."""

    def change(found: dict[str, Any]) -> None:
        for verdict in found["notes"]["verdicts"].values():
            verdict.update(ratio=3.0, verdict="faster")

    results(folder, change)


def prune_sparsity_70(folder: Path) -> None:
    pruned(artifacts(folder) / "pruned.safetensors", 0.7, epochs=6)
    note_sizes(folder)


def prune_sparsity_masks(folder: Path) -> None:
    """The masks travel with the weights, as torch's own pruning leaves them until it is told to stop."""
    state = load_file(SOLUTION / "artifacts" / "pruned.safetensors")
    masks = {f"{name}_mask": (tensor != 0).float() for name, tensor in state.items() if tensor.dim() > 1}
    save_file({**state, **masks}, artifacts(folder) / "pruned.safetensors")
    note_sizes(folder)


def prune_acc_untuned(folder: Path) -> None:
    pruned(artifacts(folder) / "pruned.safetensors", 0.9, epochs=0)
    note_sizes(folder)


def prune_size_typed(folder: Path) -> None:
    """Nine tenths are zero, so a tenth of the bytes must be left: typed, not measured."""

    def change(found: dict[str, Any]) -> None:
        for size in found["notes"]["sizes"].values():
            size["gzip"] = size["raw"] // 10

    results(folder, change)


def order_unpruned(folder: Path) -> None:
    static("fast.onnx", artifacts(folder) / "pruned_int8.onnx", per_channel=True)
    note_sizes(folder)


def bets_empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "answers.json").write_text('{"lab": "03-quantization", "bets": {}, "questions": {}}\n', encoding="utf-8")


# --- alternatives -----------------------------------------------------------------------------------


def qoperator_per_tensor(folder: Path) -> None:
    """Quantized operators instead of pairs of nodes, one scale a tensor, ranges by entropy; the MLP static too."""
    way = {"quant_format": QuantFormat.QOperator, "op_types_to_quantize": ["Conv", "MaxPool"]}
    out = artifacts(folder)
    static("cnn384.onnx", out / "cnn_int8.onnx", calibrate_method=CalibrationMethod.Entropy, **way)
    static("mlp.onnx", out / "mlp_int8.onnx", per_channel=True)


def own_pruning(folder: Path) -> None:
    """Each inner layer loses its own share, the first and the last only half; in four steps, trained on after each."""
    torch.manual_seed(1)
    network, digits = tools.load_fast(), tools.load_digits()
    weights = tools.weights_of(network)
    for share, epochs in ((0.5, 3), (0.75, 3), (0.85, 4), (0.903, 12)):
        shares = [0.5, *[share] * (len(weights) - 2), 0.5]
        masks = [prune.masks_for([weight], part)[0] for weight, part in zip(weights, shares, strict=True)]
        prune.put_zeros_back(weights, masks)
        tools.train(network, digits, epochs, lambda: prune.put_zeros_back(weights, masks))  # noqa: B023
    hand_in(network, folder)


def structured_rows(folder: Path) -> None:
    """Whole filters at zero, with what they fed: seven in ten of each layer."""
    torch.manual_seed(0)
    network = tools.load_fast()
    layers = list(network)
    masks, before = [], torch.ones(1)
    for at, layer in enumerate(layers):
        if isinstance(layer, torch.nn.Conv2d):
            kept = torch.zeros(layer.out_channels)
            kept[tools._strongest(layer, layers[at + 1], 0.3)] = 1
            masks.append((kept[:, None] * before).view(*kept.shape, -1, 1, 1).expand_as(layer.weight).clone())
            before = kept
            with torch.no_grad():
                layers[at + 1].weight.mul_(kept)
                layers[at + 1].bias.mul_(kept)
    masks.append(before.expand_as(layers[-1].weight).clone())
    weights = tools.weights_of(network)
    prune.put_zeros_back(weights, masks)
    tools.train(network, tools.load_digits(), 20, lambda: prune.put_zeros_back(weights, masks), rate=5e-3)
    hand_in(network, folder)


def by_hand(folder: Path) -> None:
    """No quantization library: our own rounding in numpy, and a graph that turns the bytes back into floats."""
    model = onnx.load(MODELS / "mlp.onnx")
    for weight in [one for one in model.graph.initializer if len(one.dims) == 2]:
        values = numpy_helper.to_array(weight)
        scale = np.abs(values).max(axis=1) / 127
        rounded = np.rint(values / scale[:, None]).astype(np.int8)
        name = weight.name
        parts = [(rounded, f"{name}_int8"), (scale.astype(np.float32), f"{name}_scale")]
        model.graph.initializer.remove(weight)
        model.graph.initializer.extend(numpy_helper.from_array(array, label) for array, label in parts)
        inputs = [label for _, label in parts]
        model.graph.node.insert(0, helper.make_node("DequantizeLinear", inputs, [name], axis=0))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, artifacts(folder) / "mlp_int8.onnx")


def torchao(folder: Path) -> None:
    """Quantized in torch, and only then exported: int8 weights by channel, unsigned activations, the MLP static too.

    Needs torchao, which nothing else here does and which is not installed with the rest; 0.18.0 was used, with torch
    2.13.0: `pip install --no-deps --target /tmp/torchao torchao==0.18.0`, and then `PYTHONPATH=/tmp/torchao`.
    """
    from torchao.quantization.pt2e import allow_exported_model_train_eval
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    images, batch = torch.from_numpy(calibration_images()), torch.export.Dim("batch")
    networks = {"cnn384": tools.DigitCNN(32, 64, 128, 384), "mlp": importlib.import_module("networks").DigitMLP(512)}
    for name, out in (("cnn384", "cnn_int8.onnx"), ("mlp", "mlp_int8.onnx")):
        network = trained(networks[name], MODELS / f"{name}.onnx")
        graph = torch.export.export(network, (images[:2],), dynamic_shapes=({0: batch},)).module()
        quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
        prepared = prepare_pt2e(graph, quantizer)
        with torch.no_grad():
            for rows in images.split(quantize.BATCH):
                prepared(rows)
        converted = convert_pt2e(prepared)
        allow_exported_model_train_eval(converted)  # the export below calls eval(), which such a graph else refuses
        tools.export(converted, artifacts(folder) / out)


# --- what answers nothing ---------------------------------------------------------------------------


def null(folder: Path) -> None:
    """One answer whatever the pixels, with the right sizes and types around it."""
    out = artifacts(folder)
    (folder / "answers.json").write_bytes((SOLUTION / "answers.json").read_bytes())
    (out / "calibration.json").write_bytes((SOLUTION / "artifacts" / "calibration.json").read_bytes())
    onnx.save(constant(np.zeros((670, 1000), np.int8)), out / "mlp_int8.onnx")
    onnx.save(constant(np.zeros((250, 400), np.int8)), out / "pruned_int8.onnx")
    onnx.save(constant(np.zeros((2, 2), np.int8)), out / "cnn_int8.onnx")
    pruned(out / "pruned.safetensors", 0.9, epochs=0)
    measured = {name: sizes(out / name) for name in ("pruned.safetensors", "pruned_int8.onnx")}
    said = {"lab": "03-quantization", "measures": {}, "notes": {"sizes": measured}}
    (folder / "results.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def constant(ballast: np.ndarray) -> onnx.ModelProto:
    """A model that reads how many images there are, and weights that it never looks into."""
    row = np.zeros((1, 10), np.float32)
    row[0, 1] = 1
    arrays = {"ballast": ballast, "one": np.array([1], np.int64), "row": row, "ten": np.array([10], np.int64)}
    nodes = [
        helper.make_node("Shape", ["ballast"], ["unused"]),
        helper.make_node("Shape", ["image"], ["batch"], start=0, end=1),
        helper.make_node("Expand", ["one", "batch"], ["label"]),
        helper.make_node("Concat", ["batch", "ten"], ["table"], axis=0),
        helper.make_node("Expand", ["row", "table"], ["probabilities"]),
    ]
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 28, 28])]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10]),
    ]
    held = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "constant", inputs, outputs, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


# --- what several specimens need --------------------------------------------------------------------


def static(model: str, out: Path, **changes: Any) -> None:
    """Quantized as in the solution, `changes` aside."""
    way = {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(MODELS / model, prepared)
        quantize_static(prepared, out, quantize.Rows(calibration_images()), **{**way, **changes})


def pruned(out: Path, share: float, epochs: int) -> None:
    """`fast` with that share of zeros, trained on for some epochs."""
    torch.manual_seed(0)
    network = tools.load_fast()
    weights = tools.weights_of(network)
    masks = prune.masks_for(weights, share)
    prune.put_zeros_back(weights, masks)
    if epochs:
        tools.train(network, tools.load_digits(), epochs, lambda: prune.put_zeros_back(weights, masks))
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, out)


def trained(network: Any, model: Path) -> Any:
    """The network with the weights of its ONNX file, where the normalisations are already part of the convolutions."""
    held = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in onnx.load(model).graph.initializer}
    for at, layer in enumerate(network):
        if isinstance(layer, torch.nn.BatchNorm2d):
            network[at] = torch.nn.Identity()
        elif isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            bias = "bias" if f"network.{at}.bias" in held else "weight_bias"
            layer.weight = torch.nn.Parameter(held[f"network.{at}.weight"])
            layer.bias = torch.nn.Parameter(held[f"network.{at}.{bias}"])
    return network.eval()


def hand_in(network: Any, folder: Path) -> None:
    """Both files of a pruned network, and the results that tell their sizes."""
    out = artifacts(folder)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, out / "pruned.safetensors")
    with tempfile.TemporaryDirectory() as scratch:
        tools.export(copy.deepcopy(network), Path(scratch) / "pruned.onnx")
        quantize.quantize_calibrated(Path(scratch) / "pruned.onnx", out / "pruned_int8.onnx", calibration_images())
    note_sizes(folder)


SPECIMENS: dict[str, Specimen] = {
    **{
        f"mutants/{each.__name__.replace('_', '-')}": each
        for each in (
            mlp_size_float_copy, mlp_acc_outlier, mlp_int8_small_float, cnn_static_dynamic, cnn_speed_unsigned_weights,
            cnn_acc_black_images, cnn_calib_held_out, speed_protocol_means, speed_honest_times_three,
            prune_sparsity_70, prune_sparsity_masks, prune_acc_untuned, prune_size_typed, order_unpruned, bets_empty,
        )
    },
    **{
        f"alternatives/{each.__name__.replace('_', '-')}": each
        for each in (qoperator_per_tensor, own_pruning, structured_rows, by_hand)
    },
    "null": null,
    "alternatives/torchao": torchao,  # the last one: without torchao, all the others are made
}  # fmt: skip


def main() -> None:
    """Make all specimens, or those named."""
    for name in sys.argv[2:] or SPECIMENS:
        SPECIMENS[name](HERE / name)
        for path in (HERE / name).rglob("*.safetensors"):
            path.chmod(0o644)
        print(name)


if __name__ == "__main__":
    main()
