"""Models as functions: from arrays by name to arrays by name, whatever format they came in."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Arrays, rows
from .weights import tensors_of

Run = Callable[[Arrays], Arrays]
_TYPES = {"float": "float32", "double": "float64"}


class Wrong(Exception):
    """What the model does wrong: the word of the answer's `problem`, and the library's own words."""

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(message)
        self.problem = problem


def opened(request: dict[str, Any], folder: Path) -> Run:
    """The model of a request; raises `Wrong` ("load") where it is none."""
    name = request["model"]
    if request["format"] == "safetensors":
        return _forward(request["forward"], folder, (folder / name).read_bytes())
    if request.get("with") == "reference":
        return _reference(folder / name)
    return session(folder / name)


def session(path: Path) -> Run:
    """An ONNX file in onnxruntime, on one thread: from its bytes alone where nothing lies beside it."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    alone = len(list(path.parent.iterdir())) == 1
    source = path.read_bytes() if alone else str(path)
    made = _tried("load", lambda: ort.InferenceSession(source, options, providers=["CPUExecutionProvider"]))
    inputs = [(each.name, each.type) for each in made.get_inputs()]
    outputs = [each.name for each in made.get_outputs()]

    def run(arrays: Arrays) -> Arrays:
        fed = _named([name for name, _ in inputs], arrays)
        for name, kind in inputs:
            _same_type(name, kind, fed[name])
        return _gathered(outputs, _tried("error", lambda: made.run(None, fed)))

    return run


def run_batch(run: Run, arrays: Arrays, batch: int) -> Arrays:
    """Batch 1: all rows, one after another. Any other size: the first so many rows at once."""
    if batch != 1:
        return _as_rows(run(rows(arrays, 0, batch)), batch)
    count = len(next(iter(arrays.values())))
    found = [_as_rows(run(rows(arrays, at, 1)), 1) for at in range(count)]
    if any({name: part.shape for name, part in each.items()} != {name: part.shape for name, part in found[0].items()}
           for each in found):  # fmt: skip
        raise Wrong("shape", "the outputs of single rows differ in shape")
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}


def _reference(path: Path) -> Run:
    import onnx
    from onnx.reference import ReferenceEvaluator

    made = _tried("load", lambda: ReferenceEvaluator(onnx.load(path)))

    def run(arrays: Arrays) -> Arrays:
        fed = _named(made.input_names, arrays)
        with np.errstate(all="ignore"):
            return _gathered(made.output_names, _tried("error", lambda: made.run(None, fed)))

    return run


def _forward(source: str, folder: Path, data: bytes) -> Run:
    """The lab's own forward pass over the student's weights."""
    (folder / "forward.py").write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("forward", folder / "forward.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tensors = _tried("load", lambda: tensors_of(data))

    def run(arrays: Arrays) -> Arrays:
        outputs = _tried("error", lambda: module.forward(dict(tensors), arrays))
        return _gathered(list(outputs), list(outputs.values()))

    return run


def _tried(problem: str, action: Callable[[], Any]) -> Any:
    """What the library answers; its exceptions, of whatever kind, as `Wrong`."""
    try:
        return action()
    except MemoryError:
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if "invalid dimensions" in text.lower() or "Invalid rank" in text:
            raise Wrong("shape", text) from error
        if any(word in text.lower() for word in ("bad_alloc", "bad allocation", "failed to allocate")):
            raise Wrong("memory", text) from error
        raise Wrong(problem, text) from error


def _named(wanted: Sequence[str], arrays: Arrays) -> Arrays:
    """The arrays under the model's own names: those that it shares with the feed, then the others in order."""
    if len(wanted) != len(arrays):
        raise Wrong("shape", f"the model has {len(wanted)} inputs instead of {len(arrays)}")
    rest = iter([array for name, array in arrays.items() if name not in wanted])
    return {name: arrays[name] if name in arrays else next(rest) for name in wanted}


def _same_type(name: str, kind: str, array: np.ndarray[Any, Any]) -> None:
    inner = kind.removeprefix("tensor(").removesuffix(")")
    given = "string" if array.dtype.kind == "O" else array.dtype.name
    if _TYPES.get(inner, inner) != given:
        raise Wrong("shape", f"input {name} is {kind} instead of {given}")


def _gathered(names: Sequence[str], values: Sequence[Any]) -> Arrays:
    for name, value in zip(names, values, strict=True):
        if not isinstance(value, np.ndarray | np.generic):
            raise Wrong("shape", f"output {name} is no tensor but a {type(value).__name__}")
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def _as_rows(outputs: Arrays, count: int) -> Arrays:
    for name, array in outputs.items():
        if array.shape[:1] != (count,):
            raise Wrong("shape", f"output {name} has shape {list(array.shape)} for {count} rows")
    return outputs
