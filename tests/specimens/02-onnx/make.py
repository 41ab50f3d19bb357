"""Make the specimens of lab 02 again from its solution: `python tests/specimens/02-onnx/make.py [NAME...]`.

Each one is the solution with one thing changed. Where the change is in `src`, the files come out of that very program.
What is written by hand stays: `expect.toml`, the null submission, and `src/digits.py` of two alternatives.
Needs the packages of the notebook image; about two minutes.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SOLUTION, COMMON = ROOT / "solutions" / "02-onnx", ROOT / "labs" / "common"
MODEL, PIPELINE, RESULTS = "artifacts/model.onnx", "artifacts/pipeline.onnx", "results.json"

_NO_SCALER = "        # No scaler: a tree does not need one, and float32 would round its output over the thresholds.\n"
_SCALER = (
    '(SimpleImputer(strategy="median"), NUMBERS)',
    '(make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS)',
)

_LEGACY = (
    ('        dynamic_shapes={"image": {0: torch.export.Dim("batch")}},\n',
     '        dynamic_axes={name: {0: "batch"} for name in ("image", "label", "probabilities")},\n'),
    ("        external_data=False,\n        dynamo=True,\n        verbose=False,\n", "        dynamo=False,\n"),
)  # fmt: skip

Maker = Callable[[Path], None]
MAKERS: dict[str, Maker] = {}


def made(name: str) -> Callable[[Maker], Maker]:
    """Mark the function that fills the folder `name`."""

    def mark(maker: Maker) -> Maker:
        MAKERS[name] = maker
        return maker

    return mark


def edited(folder: Path, file: str, *edits: tuple[str, str]) -> None:
    """A file of the solution with texts replaced, each of which must be there once."""
    text = (SOLUTION / file).read_text(encoding="utf-8")
    for old, new in edits:
        if text.count(old) != 1:
            raise ValueError(f"{file} has {text.count(old)} times: {old}")
        text = text.replace(old, new)
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text, encoding="utf-8")


def exported(folder: Path, *files: str) -> None:
    """The files that the solution's program writes with the sources of `folder` laid over it."""
    with tempfile.TemporaryDirectory() as work:
        shutil.copytree(SOLUTION, work, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(folder, work, dirs_exist_ok=True)
        command = [sys.executable, "-W", "ignore", "src/export.py", "--data", str(COMMON), "--out", "artifacts"]
        subprocess.run(command, cwd=work, check=True, stderr=subprocess.DEVNULL)
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(work, file), folder / file)


def model() -> Any:
    """The solution's digit network."""
    import onnx

    return onnx.load(SOLUTION / MODEL)


def saved(changed: Any, folder: Path, file: str = MODEL, **how: Any) -> None:
    """An ONNX file of the specimen."""
    import onnx

    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    onnx.save(changed, folder / file, **how)


def results(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The solution's `results.json`, changed in place."""
    found = copy.deepcopy(json.loads((SOLUTION / RESULTS).read_text(encoding="utf-8")))
    change(found)
    (folder / RESULTS).write_text(json.dumps(found, ensure_ascii=False) + "\n", encoding="utf-8")


def claimed(folder: Path) -> None:
    """`results.json` with what scikit-learn says in the pipeline of `folder`'s own `src/flights.py`."""
    code = (
        "import sys, json; sys.path.insert(0, 'src'); import flights as f; year = f.read(sys.argv[1]);"
        "july = year[year.month == 7].head(2000); pipeline = f.fit(f.build(0), year, 0);"
        "print(json.dumps(pipeline.predict_proba(july[f.NUMBERS + f.TEXTS])[:, 1].round(7).tolist()))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(COMMON / "flights.csv.gz")]
    said = json.loads(subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout)
    shutil.rmtree(folder / "src" / "__pycache__", ignore_errors=True)
    results(folder, lambda found: found["notes"]["flights"].update(sklearn=said))


# --- mutants -------------------------------------------------------------------------------------------


@made("mutants/selfcontained-external")
def _external(folder: Path) -> None:
    saved(model(), folder, save_as_external_data=True, location="model.onnx.data", size_threshold=1024)


@made("mutants/names-input")
def _input(folder: Path) -> None:
    edited(folder, "src/digits.py", ('input_names=["image"]', 'input_names=["x"]'))
    exported(folder, MODEL)


@made("mutants/names-contract")
def _contract(folder: Path) -> None:
    edited(folder, "contract.yaml", ("dtype: uint8", "dtype: float32"))


@made("mutants/dynbatch-frozen")
def _frozen(folder: Path) -> None:
    open_batch = '        dynamic_shapes={"image": {0: torch.export.Dim("batch")}},\n'
    example = "torch.zeros(2, 28, 28, dtype=torch.uint8)  # one image would look like a constant"
    edited(folder, "src/digits.py", (open_batch, ""), (example, "torch.zeros(1, 28, 28, dtype=torch.uint8)"))
    exported(folder, MODEL)


@made("mutants/dynbatch-reshape")
def _reshape(folder: Path) -> None:
    """The signature is open, and a Reshape in the middle still says 1."""
    import numpy as np
    from onnx import numpy_helper

    changed = model()
    target = next(node.input[1] for node in changed.graph.node if node.op_type == "Reshape")
    tensor = next(tensor for tensor in changed.graph.initializer if tensor.name == target)
    tensor.CopyFrom(numpy_helper.from_array(np.array([1, 64], dtype=np.int64), target))
    saved(changed, folder)


@made("mutants/parity-softmax-twice")
def _twice(folder: Path) -> None:
    edited(folder, "src/digits.py", ("scores.softmax(dim=1)", "scores.softmax(dim=1).softmax(dim=1)"))
    exported(folder, MODEL)


@made("mutants/opset-11")
def _opset(folder: Path) -> None:
    edited(folder, "src/digits.py", *_LEGACY, ("opset_version=20", "opset_version=11"))
    exported(folder, MODEL)


@made("mutants/portability-fused")
def _fused(folder: Path) -> None:
    """The graph as a session optimised it for itself."""
    import onnx
    import onnxruntime as ort

    (folder / "artifacts").mkdir(exist_ok=True)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(folder / MODEL)
    ort.InferenceSession(SOLUTION / MODEL, options, providers=["CPUExecutionProvider"])
    onnx.checker.check_model(onnx.load(folder / MODEL))


@made("mutants/pipe-raw-outside")
def _outside(folder: Path) -> None:
    edited(folder, "src/digits.py", ("(image.float().unsqueeze(1) / 255 - 0.15) / 0.30", "image.float().unsqueeze(1)"))
    exported(folder, MODEL)


@made("mutants/pipe-flights-scaler")
def _scaler(folder: Path) -> None:
    edited(
        folder, "src/flights.py",
        _SCALER,
        ("import OrdinalEncoder", "import OrdinalEncoder, StandardScaler"),
        (_NO_SCALER, ""),
    )  # fmt: skip
    exported(folder, PIPELINE)
    claimed(folder)


@made("mutants/pipe-flights-worthless")
def _worthless(folder: Path) -> None:
    """Trained on whether the flight has an even delay: the conversion is right, the answers are of no use."""
    edited(
        folder, "src/flights.py",
        ("spring.arr_delay > LATE", "spring.arr_delay % 2 == 0"), ("10 if fast else 50", "10"),
    )  # fmt: skip
    exported(folder, PIPELINE)
    claimed(folder)


@made("mutants/skew-slide")
def _slide(folder: Path) -> None:
    results(folder, lambda found: found["notes"]["skew"].update(loss=0.01))


@made("mutants/bench-protocol-one-sample")
def _one(folder: Path) -> None:
    def change(found: dict[str, Any]) -> None:
        for measure in found["measures"].values():
            measure["samples"] = {name: values[:1] for name, values in measure["samples"].items()}
            measure["median"] = {name: values[0] for name, values in measure["samples"].items()}

    results(folder, change)


@made("mutants/bench-protocol-threads")
def _threads(folder: Path) -> None:
    results(folder, lambda found: found["measures"]["L02.B5"]["threads"].update(torch=2))


@made("mutants/bench-truth-slide")
def _truth(folder: Path) -> None:
    """With a batch of 32 PyTorch is ahead, and the note says what the slide says."""

    def change(found: dict[str, Any]) -> None:
        for table in ("samples", "median"):
            times = found["measures"]["L02.B5"][table]
            times["eager"], times["onnx"] = times["onnx"], times["eager"]

    results(folder, change)


@made("mutants/rerun-home")
def _home(folder: Path) -> None:
    weights = 'asked.data / "models" / "fast.safetensors"'
    edited(folder, "src/export.py", (weights, 'Path.home() / "guichet" / "fast.safetensors"'))


@made("mutants/rerun-copy")
def _copy(folder: Path) -> None:
    start = (SOLUTION / "src/export.py").read_text(encoding="utf-8")
    body = start[start.index("    digits.export(") : start.index('\n\nif __name__ == "__main__"')]
    loop = f"    for name in {('model.onnx', 'pipeline.onnx')}:\n        shutil.copy(Path('artifacts') / name, asked.out)\n"
    imports = ("import digits\nimport flights\n", "")
    edited(folder, "src/export.py", (body, loop), imports, ("import argparse\n", "import argparse\nimport shutil\n"))


@made("mutants/bets-empty")
def _bets(folder: Path) -> None:
    shutil.copy(ROOT / "labs" / "02-onnx" / "starter" / "answers.json", folder)


# --- the null submission ----------------------------------------------------------------------------------


@made("null")
def _null(folder: Path) -> None:
    """Constants that keep every form: one label, one probability, the slide's figures."""
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    shutil.copy(COMMON / "models" / "constant.onnx", folder / MODEL)
    saved(_same_for_all(), folder, PIPELINE)
    for file in ("contract.yaml", "answers.json"):
        shutil.copy(SOLUTION / file, folder)
    shutil.copytree(HERE / "mutants" / "rerun-copy" / "src", folder / "src", dirs_exist_ok=True)
    notes = {
        "speed": {"L02.B4": "faster", "L02.B5": "faster"},
        "skew": {"loss": 0.01},
        "flights": {"sklearn": [0.25] * 2000},
    }
    text = json.dumps({"lab": "02-onnx", "measures": {}, "notes": notes})
    (folder / RESULTS).write_text(text + "\n", encoding="utf-8")


def _same_for_all() -> Any:
    """The flights' pipeline with its columns, and one answer."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    pipeline = onnx.load(SOLUTION / PIPELINE).graph
    nodes = [
        helper.make_node("Shape", ["distance"], ["rows"], start=0, end=1),
        helper.make_node("Concat", ["rows", "two"], ["table"], axis=0),
        helper.make_node("Expand", ["shares", "table"], ["probabilities"]),
        helper.make_node("Expand", ["late", "rows"], ["label"]),
    ]
    constants = {
        "two": np.array([2], np.int64),
        "shares": np.array([[0.75, 0.25]], np.float32),
        "late": np.array([0], np.int64),
    }
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 2]),
    ]
    held = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "same", list(pipeline.input), outputs, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


# --- alternatives ----------------------------------------------------------------------------------------


@made("alternatives/legacy-exporter")
def _legacy(folder: Path) -> None:
    edited(folder, "src/digits.py", *_LEGACY, ("opset_version=20", "opset_version=17"))
    exported(folder, MODEL)


@made("alternatives/scaling-layer")
def _scaling(folder: Path) -> None:
    edited(
        folder, "src/digits.py",
        ("    def forward(", '''    @staticmethod
    def scaling() -> nn.Module:
        """Division and centring as a layer: batch normalisation with fixed figures."""
        layer = nn.BatchNorm2d(1, eps=0, affine=False)
        layer.running_mean.fill_(255 * 0.15)
        layer.running_var.fill_((255 * 0.30) ** 2)
        return layer

    def forward('''),
        ("        pixels = (image.float().unsqueeze(1) / 255 - 0.15) / 0.30\n        scores = self.network(pixels)\n",
         "        scores = self.network(image.float().unsqueeze(1))\n"),
        ("        self.network = network\n", "        network[0] = self.scaling()\n        self.network = network\n"),
    )  # fmt: skip
    exported(folder, MODEL)


@made("alternatives/compose-merge")
def _compose(folder: Path) -> None:
    exported(folder, MODEL)


@made("alternatives/by-hand")
def _by_hand(folder: Path) -> None:
    exported(folder, MODEL)


@made("alternatives/skl2onnx-logistic")
def _logistic(folder: Path) -> None:
    edited(
        folder, "src/flights.py",
        (_NO_SCALER, ""),
        _SCALER,
        ('(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), TEXTS)',
         '(OneHotEncoder(handle_unknown="ignore"), TEXTS)'),
        ("    trees = HistGradientBoostingClassifier(max_iter=10 if fast else 50, random_state=seed)\n"
         "    return make_pipeline(columns, trees)",
         "    return make_pipeline(columns, LogisticRegression(max_iter=300))"),
        ("from sklearn.ensemble import HistGradientBoostingClassifier\n", ""),
        ("from sklearn.impute import SimpleImputer\n",
         "from sklearn.impute import SimpleImputer\nfrom sklearn.linear_model import LogisticRegression\n"),
        ("import OrdinalEncoder", "import OneHotEncoder, StandardScaler"),
    )  # fmt: skip
    exported(folder, PIPELINE)
    claimed(folder)


def main() -> None:
    """Make all specimens, or those named, over what their folders hold already."""
    for name, maker in MAKERS.items():
        if not sys.argv[1:] or name.rpartition("/")[2] in sys.argv[1:]:
            folder = HERE / name
            maker(folder)
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            print(f"{name}: {size} bytes", flush=True)


if __name__ == "__main__":
    main()
