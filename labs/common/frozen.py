"""The record of the frozen models: what each file holds, its size, its sha256, and its score on the held-out digits."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import digits

MODELS = Path(__file__).parent / "models"
RECORD = MODELS / "models.json"


def correct(model: Path) -> int:
    """How many held-out digits an ONNX model of the contract labels rightly, all in one batch."""
    import onnxruntime

    held_out = digits.load("held_out")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    labels = session.run(["label"], {"image": held_out.images})[0]
    return int((labels == held_out.labels).sum())


def record(name: str, about: str, **facts: str | int | float) -> None:
    """Measure `models/<name>.onnx` and write its line in `models.json`."""
    model = MODELS / f"{name}.onnx"
    right, held_out = correct(model), len(digits.load("held_out").labels)
    line = {
        "about": about,
        "bytes": model.stat().st_size,
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "held_out_correct": right,
        "held_out_accuracy": round(right / held_out, 4),
        **facts,
    }
    lines = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    lines[name] = line
    RECORD.write_text(json.dumps(dict(sorted(lines.items())), indent=2) + "\n")
    print(f"{name}: {right} of {held_out} right, {line['bytes']} bytes, sha256 {line['sha256']}")
