"""What becomes of broken artefacts: `python -m tests.fuzz.examining FIRST COUNT FOLDER`, one JSON row a file.

Every file is read by the reader itself; every `REAL`th also as the grader does it, by the reader in its child, and
every `RUN`th model is given to the evaluator too. What is taken is compared with what the format's own library says.
"""

from __future__ import annotations

import base64
import json
import resource
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from grader.artifacts import STANDARD_DOMAINS, scan
from grader.artifacts.child import examine
from grader.evaluator.outside import answered
from grader.execution.reading import Unreadable, read_notebook, rows_of
from grader.modelling import PROBLEMS as ANSWERS

from .files import File, made

REAL, RUN = 100, 25
SECONDS, PATIENCE = 2.0, 30
PROBLEMS = {None, "format", "too_large", "external", "domain", "nodes", "depth", "data", "metadata", "training"}
ENDS = {None, *ANSWERS}
Row = dict[str, Any]


def trial(number: int, folder: Path) -> Row:
    """One file, and everything that is wrong with how it was taken."""
    file = made(number)
    real = (number // 5) % REAL == 0
    began = time.monotonic()
    signal.alarm(PATIENCE)
    code, faults = "raised", []
    try:
        code, faults = _read(file)
        seconds = time.monotonic() - began
        faults += [f"slow: {seconds:.1f} s"] if seconds > SECONDS else []
        faults += _for_real(file, code, folder) if real else []
        faults += _run(file) if file.kind == "onnx" and (number // 5) % RUN == 0 else []
    except Exception as error:
        seconds = time.monotonic() - began
        faults = [f"raised: {type(error).__name__} {str(error)[:200]}"]
    signal.alarm(0)
    return {"number": number, "kind": file.kind, "way": file.way, "code": code, "real": real,
            "seconds": round(seconds, 3), "faults": faults}  # fmt: skip


def _read(file: File) -> tuple[str, list[str]]:
    """How the file was taken, and what is wrong with that."""
    if file.kind == "ipynb":
        try:
            rows = rows_of(file.data, runnable=True)
        except (Unreadable, RecursionError) as error:
            problem = getattr(error, "problem", "not_a_notebook")
            return problem, ["refused though whole"] if file.whole else []
        json.dumps(rows, allow_nan=False).encode()
        return "taken", []
    found = examine(file.data, -1, "any" if file.kind == "pickle" else file.kind, STANDARD_DOMAINS)
    json.dumps(found, allow_nan=False).encode()
    problem = found["file"]["problem"]
    faults = [] if problem in PROBLEMS else [f"shape: {problem}"]
    if file.kind == "pickle":
        missed = file.whole and not found["pickles"]
        return "found" if found["pickles"] else "nothing found", ["missed"] if missed else []
    if problem is None:
        return "taken", faults + _misread(file, found)
    return problem, faults + (["refused though whole"] if file.whole else [])


def _misread(file: File, found: Row) -> list[str]:
    """Where the format's own library says other than our reader does of a file that it takes."""
    if file.kind == "json":
        return [] if json.loads(file.data) == found["json"] else ["accepted: other value"]
    if file.kind == "safetensors":
        return _weights_misread(file, found)
    try:
        model = onnx.load_from_string(file.data)
    except DecodeError:
        return ["accepted: no model for onnx"]
    nodes = [(node["op"], node["inputs"], node["outputs"]) for node in found["graph"]["nodes"] if node["depth"] == 1]
    theirs = [(node.op_type, list(node.input), list(node.output)) for node in model.graph.node]
    faults = [] if nodes == theirs else ["accepted: other nodes"]
    ours = [row for row in found["graph"]["initializers"] if row["where"] == "initializer"]
    if len(model.training_info) or len(ours) < len(model.graph.initializer):
        faults.append("accepted: other parts")
    for row, tensor in zip(ours, model.graph.initializer, strict=False):
        faults += _tensor_misread(row, tensor)
    return faults


def _tensor_misread(row: Row, tensor: onnx.TensorProto) -> list[str]:
    if (row["name"], row["shape"]) != (tensor.name, list(tensor.dims)):
        return ["accepted: other tensor"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = numpy_helper.to_array(tensor)
    except Exception as error:
        return [f"accepted: {type(error).__name__} {str(error)[:80]}"]
    plain = row["dtype"] in ("float32", "int64", "int32", "uint8", "int8")
    wrong = plain and (row["bytes"] != array.nbytes or row["zeros"] != array.size - int((array != 0).sum()))
    return ["accepted: other bytes or zeros"] if wrong else []


def _weights_misread(file: File, found: Row) -> list[str]:
    from safetensors.numpy import load

    try:
        arrays = load(file.data)
    except (KeyError, TypeError):
        return []  # a type that numpy lacks
    except Exception as error:
        return [f"accepted: {type(error).__name__} {str(error)[:80]}"]
    ours = {row["name"]: row["shape"] for row in found["tensors"]["tensors"]}
    return [] if ours == {name: list(array.shape) for name, array in arrays.items()} else ["accepted: other tensors"]


def _for_real(file: File, code: str, folder: Path) -> list[str]:
    """The same answer from the reader in its child."""
    path = folder / "file"
    path.write_bytes(file.data)
    if file.kind == "ipynb":
        try:
            read_notebook(path, runnable=True)
        except Unreadable as error:
            return [] if error.problem == code else [f"child: {error.problem}, not {code}"]
        return [] if code == "taken" else [f"child: taken, not {code}"]
    found = scan(path, "any" if file.kind == "pickle" else file.kind)  # type: ignore[arg-type]
    said = found["file"]["problem"] or ("found" if found["pickles"] else "nothing found")
    said = "taken" if found["file"]["problem"] is None and file.kind != "pickle" else said
    return [] if said == code else [f"child: {said}, not {code}"]


def _run(file: File) -> list[str]:
    """The evaluator over a model that the reader may well have refused: an answer in time, whatever it is."""
    feed = {"x": {"dtype": "float32", "shape": [2, 3], "data": base64.b64encode(bytes(24)).decode()}}
    request = {"files": {"m": base64.b64encode(file.data).decode()}, "model": "m", "format": "onnx", "forward": None,
               "feed": feed, "batches": [1, 2], "pair": None, "seconds": 15}  # fmt: skip
    answer = json.loads(answered(json.dumps(request).encode()), parse_constant=lambda name: {}[name])
    return [] if answer["problem"] in ENDS else [f"evaluator: {answer['problem']}"]


def main() -> None:
    """Try `COUNT` files from number `FIRST` on."""
    first, count, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    for number in range(first, first + count):
        print(json.dumps(trial(number, folder)), flush=True)
    print(json.dumps({"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
