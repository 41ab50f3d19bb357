"""A student's model, run by the evaluator in a sandbox that holds inputs and no answers."""

from __future__ import annotations

import base64
import json
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from grader.checks import Feed
from grader.lab_runs import lab_file
from grader.probes.service import quiet_machine
from grader.records import Json, Lab, ModelRun
from grader.workrooms import Done, Job, Workroom

MEMORY_MIB = 1024
SLACK_SECONDS = 15  # for the evaluator itself: it holds the model's clock and must be let speak
MODEL, PAIR = "model", "reference"
PROBLEMS = frozenset(["load", "shape", "error", "timeout", "memory", "protocol", "not_finite"])
SHAPE = {"problem", "message", "batches", "flags", "threads"}


@dataclass(frozen=True)
class Model:
    """A file that was found clean; `beside` names the files next to it that hold its data."""

    path: Path
    form: Literal["onnx", "safetensors", "json", "skops", "text", "any"]
    beside: tuple[str, ...] = ()


def ask_model(room: Workroom, lab: Lab, model: Model, run: ModelRun, feed: Feed) -> dict[str, Json]:
    """The evidence of one run: the outputs, or times beside a reference; always with the feed's truth."""
    forward = Path(lab.root, feed.forward).read_text(encoding="utf-8") if feed.forward else None
    pair = lab_file(lab, run.pair) if run.pair else None
    files = {name: (model.path.parent / name).read_bytes() for name in model.beside}
    files[MODEL] = model.path.read_bytes()
    if pair is not None:
        files[PAIR] = pair.read_bytes()
    request = {
        "files": {name: base64.b64encode(data).decode() for name, data in files.items()},
        "model": MODEL,
        "format": model.form,
        "forward": forward,
        "feed": {name: _packed(array) for name, array in feed.arrays.items()},
        "batches": list(run.batches),
        "pair": PAIR if pair is not None else None,
        "rounds": run.rounds,
        "with": run.with_,
        "seconds": run.seconds,
    }
    job = Job(
        ("-I", "{lab}/evaluator"), {"lab": evaluator_files()}, run.seconds + SLACK_SECONDS, memory_mib=MEMORY_MIB,
        request=json.dumps(request).encode(), env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    # One at a time on a machine: what is compared are times.
    with quiet_machine() if pair is not None else nullcontext():
        done = room.do(job, Path("-"))
    told: dict[str, Json] = {**_answer(done), "truth": feed.truth}
    if pair is None:
        del told["flags"], told["threads"]
    return told


def evaluator_files() -> dict[str, bytes | Path]:
    """The evaluator as files of a job."""
    root = resources.files("grader.evaluator")
    return {f"evaluator/{file.name}": file.read_bytes() for file in root.iterdir() if file.name.endswith(".py")}


def _packed(array: Any) -> dict[str, Json]:
    """A numpy array as JSON: dtype, shape and its bytes in row order; words as they are."""
    if array.dtype.kind in "OUT":
        return {"dtype": "string", "shape": list(array.shape), "data": [str(word) for word in array.ravel()]}
    data = base64.b64encode(array.tobytes(order="C")).decode()
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": data}


def _answer(done: Done) -> dict[str, Json]:
    """The evaluator's line, or what kept it from answering."""
    if done.problem in ("timeout", "memory"):
        return _trouble(done.problem)
    try:
        answer: dict[str, Json] = json.loads(done.stdout)
    except (ValueError, RecursionError):
        return _trouble("memory" if done.problem == "killed" else "protocol")
    if not isinstance(answer, dict) or answer.keys() != SHAPE or answer["problem"] not in {None, *PROBLEMS}:
        return _trouble("protocol")
    return answer


def _trouble(problem: str) -> dict[str, Json]:
    return {"problem": problem, "message": "", "batches": [], "flags": [], "threads": 1}
