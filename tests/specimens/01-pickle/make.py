"""Make the artefacts of lab 01's specimens anew, after `solutions/01-pickle/train.py` made the solution's.

`python tests/specimens/01-pickle/make.py DATA`, with the data folder that `grader start 01` filled. What a specimen
changes in its programs is written by hand; only artefacts, their cards and results.json come from here. The data
folder is needed to fit pipelines.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import runpy
import sys
import tempfile
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import numpy as np
import skops.io
import torch
from skl2onnx import to_onnx
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[2]
SOLUTION = HOME / "solutions" / "01-pickle"
KIT = runpy.run_path(str(HOME / "labs" / "01-pickle" / "private" / "pickles.py"))
MODEL, META, PIPELINE = (f"artifacts/{name}" for name in ("model.safetensors", "model_meta.json", "pipeline.skops"))
COUNTED = ("model.safetensors", "model_meta.json", "pipeline.skops", "pipeline.onnx", "pipeline.json")
DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
Tensors = dict[str, np.ndarray[Any, Any]]


def main(data: Path) -> None:
    own = read(SOLUTION / MODEL)
    train = module(SOLUTION / "train.py")
    pipeline = train.fitted(data)
    half = packed(own, "F16")
    with_model("mutants/st-valid-float16", half)
    torch.manual_seed(0)
    untrained = {name: tensor.numpy() for name, tensor in train.Network().state_dict().items()}
    with_model("mutants/st-weights-untrained", packed(untrained))
    put("mutants/meta-stale-hash", {META: card(half)})
    unsafe = make_pipeline(FunctionTransformer(np.asarray), *(step for _, step in pipeline.steps))
    for name, wrong in (("no-scaler", pipeline[-1]), ("untrusted", unsafe)):
        put(f"mutants/pipeline-{name}", {PIPELINE: dumped(wrong)}, count=True)
    put("mutants/nopkl-kept", {"artifacts/model.pkl": KIT["ordered"](Random(3))})
    put("mutants/nopkl-zipped", {"artifacts/old/weights.bin": KIT["state_dict"](Random(3))})
    sizes = json.loads((SOLUTION / "results.json").read_text())["notes"]["sizes"]
    rounded = {name: round(size, -3) or size for name, size in sizes.items()}
    put("mutants/report-typed", {"results.json": results(rounded)})
    alternatives(own, pipeline)
    null(own, data)


def alternatives(own: Tensors, pipeline: Any) -> None:
    """Each holds what differs from the solution; `remove.txt` beside it names what goes."""
    turned = {name: own[name] for name in ("output.bias", "hidden.bias", "output.weight", "hidden.weight")}
    other = packed(turned, about={"made_with": "numpy", "licence": "MIT"})
    with_model("alternatives/safetensors-numpy", other)
    graph = to_onnx(pipeline, np.zeros((1, 6), np.float32), options={id(pipeline): {"zipmap": False}}, target_opset=20)
    put("alternatives/pipeline-onnx", {"artifacts/pipeline.onnx": graph.SerializeToString()}, count=True)
    scaler, model = pipeline[0], pipeline[-1]
    arrays = {"mean": scaler.mean_, "scale": scaler.scale_, "coefficients": model.coef_, "intercepts": model.intercept_}
    put("alternatives/pipeline-json", {"artifacts/pipeline.safetensors": packed(arrays, "F64")}, count=True)


def null(own: Tensors, data: Path) -> None:
    """Right in form, and the same answer to everything."""
    zeros = packed({name: np.zeros_like(tensor) for name, tensor in own.items()})
    table = np.loadtxt(data / "forms.csv", delimiter=",", skiprows=1)
    same = DummyClassifier(strategy="constant", constant=0).fit(table[:, :6], table[:, 6].astype(int))
    put("null", {MODEL: zeros, META: card(zeros), PIPELINE: dumped(same)}, count=True)


def with_model(name: str, model: bytes) -> None:
    put(name, {MODEL: model, META: card(model)}, count=True)


def put(name: str, files: dict[str, bytes | str], count: bool = False) -> None:
    """Write into a specimen; with `count`, its results.json too, of what it has and else of the solution's files."""
    folder = HERE / name
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    if count:
        whole = (folder,) if name == "null" else (SOLUTION, folder)
        gone = (folder / "remove.txt").read_text().split() if (folder / "remove.txt").is_file() else ()
        places = {path.name: path for root in whole for path in sorted((root / "artifacts").glob("*"))
                  if f"artifacts/{path.name}" not in gone}  # fmt: skip
        sizes = {path.name: path.stat().st_size for path in places.values() if path.name in COUNTED}
        (folder / "results.json").write_text(results(sizes))


def results(sizes: dict[str, int]) -> str:
    return json.dumps({"lab": "01-pickle", "measures": {}, "notes": {"sizes": sizes}}, indent=1) + "\n"


def card(model: bytes) -> str:
    """The solution's card with the hash of other weights."""
    said = json.loads((SOLUTION / META).read_text())
    return json.dumps({**said, "sha256": hashlib.sha256(model).hexdigest()}, indent=1) + "\n"


def packed(tensors: Tensors, dtype: str = "F32", about: dict[str, str] | None = None) -> bytes:
    """A safetensors file, written by hand."""
    header: dict[str, Any] = {"__metadata__": about} if about else {}
    body = b""
    for name, tensor in tensors.items():
        raw = np.ascontiguousarray(tensor, dtype=DTYPES[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def read(path: Path) -> Tensors:
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    found = {}
    for name, entry in json.loads(data[8:start]).items():
        first, last = entry["data_offsets"]
        found[name] = np.frombuffer(data[start + first : start + last], "<f4").reshape(entry["shape"])
    return found


def dumped(estimator: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        skops.io.dump(estimator, Path(folder) / "pipeline.skops")
        return (Path(folder) / "pipeline.skops").read_bytes()


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
