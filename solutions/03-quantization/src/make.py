"""Make everything that lab 03 hands in.

python -m src.make --data ../../work/03-quantization/data    # the folder that `grader start 03` filled
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

import workbench as wb
from src import measure, prune, quantize

SHARE, EPOCHS = 0.9, 12
FORECASTS = {
    "L03.B1": (4.0, "x", 60), "L03.B2": (0.5, "x", 55), "L03.B3": (3.0, "x", 70), "L03.B4": (0.6, "x", 50),
    "L03.B5": (40.0, "%", 40), "L03.B6": (1.0, "x", 50),
}  # fmt: skip
CARDS = {  # the choices of the notebook's reading cards, and the one that we take
    "L03.Q1": (["any machine", "the same kind of card and version", "any NVIDIA card"], 2),
    "L03.Q2": (["the int8 ONNX file", "the fp32 ONNX file", "the PyTorch network"], 3),
    "L03.Q3": (["ready-made vision pipelines", "a compiler for ONNX", "another ONNX runtime"], 1),
}


def main() -> None:
    """Forecasts first, then the files, then the duels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("."))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.path.insert(0, str(options.data))
    tools = importlib.import_module("tools")
    wb.begin(lab="03-quantization", seed=options.seed, out_dir=options.out)
    for name, (value, unit, confidence) in FORECASTS.items():
        wb.bet(name, value=value, unit=unit, confidence=confidence)
    for name, (choices, answer) in CARDS.items():
        wb.ask(name, choices, answer)
    artifacts = options.out / "artifacts"
    artifacts.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        make(tools, options.data / "models", artifacts, Path(folder), options.seed)


def make(tools: Any, models: Path, artifacts: Path, scratch: Path, seed: int) -> None:
    """The four models, the note of the calibration, and the results."""
    digits = tools.load_digits()
    rows = quantize.calibration_rows(digits["split"], seed)
    images = digits["images"][rows]
    note = json.dumps(quantize.calibration_note(digits["images"], rows))
    (artifacts / "calibration.json").write_text(note + "\n", encoding="utf-8")
    quantize.quantize_on_the_fly(models / "mlp.onnx", scratch / "mlp_dynamic.onnx")
    quantize.quantize_on_the_fly(models / "cnn384.onnx", scratch / "cnn_dynamic.onnx")
    quantize.quantize_calibrated(models / "cnn384.onnx", scratch / "cnn_static.onnx", images)
    quantize.quantize_calibrated(models / "lenet.onnx", scratch / "lenet_static.onnx", images)

    torch.manual_seed(seed)
    network = pruned_network(tools, digits)
    save_file(
        {name: tensor.contiguous() for name, tensor in network.state_dict().items()}, artifacts / "pruned.safetensors"
    )
    tools.export(network, scratch / "pruned.onnx")
    quantize.quantize_calibrated(scratch / "pruned.onnx", artifacts / "pruned_int8.onnx", images)
    for name, source in (("mlp_int8.onnx", "mlp_dynamic.onnx"), ("cnn_int8.onnx", "cnn_static.onnx")):
        (artifacts / name).write_bytes((scratch / source).read_bytes())

    one = digits["images"][digits["split"] == 1][:1]
    wb.note("verdicts", measure.verdicts(measure.duels(tools, models, scratch, one)))
    wb.note("sizes", {name: sizes(artifacts / name) for name in ("pruned.safetensors", "pruned_int8.onnx")})


def pruned_network(tools: Any, digits: dict[str, Any]) -> torch.nn.Module:
    """`fast` with nine weights in ten at zero, trained on until it reads again."""
    network: torch.nn.Module = tools.load_fast()
    weights = tools.weights_of(network)
    masks = prune.masks_for(weights, SHARE)
    prune.put_zeros_back(weights, masks)
    tools.train(network, digits, EPOCHS, lambda: prune.put_zeros_back(weights, masks))
    print(f"zeros: {prune.zero_share(weights):.4f}")
    return network


def sizes(path: Path) -> dict[str, int]:
    """Bytes of a file, as it is and gzipped."""
    data = path.read_bytes()
    return {"raw": len(data), "gzip": len(gzip.compress(data))}


if __name__ == "__main__":
    main()
