"""Lab 02: its trusted figures are those of the course's files, and nothing that a student types can break a check."""

from __future__ import annotations

import copy
import json
import runpy
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from grader.checks import Fail
from grader.records import Evidence
from tests.odd import ODD, disturbed

ROOT = Path(__file__).parents[1]
LAB, COMMON, SOLUTION = ROOT / "labs" / "02-onnx", ROOT / "labs" / "common", ROOT / "solutions" / "02-onnx"
inputs = runpy.run_path(str(LAB / "inputs.py"))
rubric = runpy.run_path(str(LAB / "checks.py"))
CHECKS: dict[str, Callable[[Evidence], Any]] = {
    function.judges: function for function in rubric.values() if hasattr(function, "judges")
}
Sections = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def right() -> Sections:
    """Evidence of a sound submission, made without running a model."""
    asked = inputs["digits"](Random("1:model:digits"), COMMON)
    july = inputs["july"](Random("1"), COMMON)
    results = json.loads((SOLUTION / "results.json").read_text())
    shares, labels = asked.truth["probabilities"], asked.truth["labels"]

    def run(*sizes: int) -> dict[str, Any]:
        batches = [
            {"batch": size, "outputs": {"label": _rows(labels, size), "probabilities": _rows(shares, size)}}
            for size in sizes
        ]
        return {"problem": None, "message": "", "batches": batches, "truth": asked.truth}

    said = results["notes"]["flights"]["sklearn"]
    flights = {
        "problem": None,
        "message": "",
        "truth": july.truth,
        "batches": [{"batch": 2000, "outputs": {"label": [0] * 2000, "probabilities": [[1 - p, p] for p in said]}}],
    }
    columns = [{"name": name, "dtype": dtype, "shape": [None, 1]} for name, dtype in rubric["COLUMNS"].items()]
    return {
        "model": {
            "file": {"problem": None, "size": 340_217, "facts": {"external": []}, "path": "artifacts/model.onnx"},
            "graph": {
                "opsets": {"ai.onnx": 20},
                "functions": [],
                "nodes": [{"op": "Conv", "domain": "ai.onnx"}],
                "inputs": [{"name": "image", "dtype": "uint8", "shape": ["batch", 28, 28]}],
                "outputs": [
                    {"name": "label", "dtype": "int64", "shape": ["batch"]},
                    {"name": "probabilities", "dtype": "float32", "shape": ["batch", 10]},
                ],
            },
            "rows": run(1),
            "batches": run(1, 7, 64),
            "reference": run(1),
        },
        "flights": {"graph": {"inputs": columns}, "july": flights, "hidden": flights, "file": {"problem": None}},
        "results": {"json": results},
        "submission": {
            "texts": {name: (SOLUTION / name).read_text() for name in ("contract.yaml", "answers.json")},
            "files": [{"path": "src/export.py", "size": 1}],
        },
    }


def _rows(values: list[Any], size: int) -> list[Any]:
    """Batch 1 is all rows, one after another; others take the first rows and begin again."""
    return values if size == 1 else [values[at % len(values)] for at in range(size)]


def judged(item: str, sections: Sections) -> str | None:
    try:
        CHECKS[item](Evidence(lab="02-onnx", sections=sections, seed=1))
    except Fail as failure:
        return failure.cause
    return None


ITEMS = [item for item in CHECKS if item != "rerun"]


@pytest.mark.parametrize("item", ITEMS)
def test_a_sound_submission_passes(item: str, right: Sections) -> None:
    assert judged(item, right) is None


def test_the_trusted_forward_pass_is_the_course_s_model() -> None:
    tensors = inputs["safetensors"](COMMON / "digits.safetensors")
    held_out = tensors["split"] == 1
    images, labels = tensors["images"][held_out], tensors["labels"][held_out]
    weights = inputs["safetensors"](COMMON / "models" / "fast.safetensors")
    shares = inputs["probabilities"](weights, images)
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(COMMON / "models" / "fast.onnx", providers=["CPUExecutionProvider"])
    assert np.abs(session.run(["probabilities"], {"image": images})[0] - shares).max() < 1e-5
    assert "".join(map(str, labels)) == rubric["HELD_OUT"]
    without = inputs["forward"](weights, images.astype(np.float64))
    loss = (shares.argmax(1) == labels).mean() - (without.argmax(1) == labels).mean()
    assert loss == pytest.approx(rubric["LOSS"], abs=0.0005)


def test_digits_are_drawn_anew_by_chance_and_by_nothing_else() -> None:
    first, again, other = (inputs["digits"](Random(seed), COMMON) for seed in ("1", "1", "2"))
    assert (first.arrays["image"] == again.arrays["image"]).all()
    assert (first.arrays["image"] != other.arrays["image"]).any()
    assert first.arrays["image"].dtype == np.uint8 and len(set(first.truth["labels"])) > 5


def test_hidden_flights_are_there_for_the_teacher() -> None:
    if not (LAB / "private").is_dir():
        pytest.skip("a student's copy")
    private = runpy.run_path(str(LAB / "private" / "inputs.py"))
    found = private["hidden_flights"](Random("1"), COMMON)
    assert found.arrays["temp"].shape == (1500, 1) and 0.15 < np.mean(found.truth["late"]) < 0.4


@pytest.mark.parametrize(
    ("item", "path", "value", "cause"),
    [
        ("selfcontained", ("model", "file", "facts", "external"), ["model.onnx.data"], "external"),
        ("opset", ("model", "graph", "opsets", "ai.onnx"), 27, "new"),
        ("opset", ("model", "graph", "opsets"), {}, "none"),
        ("names", ("model", "graph", "inputs", 0, "name"), "x", "inputs_named"),
        ("names", ("model", "graph", "outputs", 1, "name"), "y", "outputs_named"),
        ("names", ("model", "graph", "inputs", 0, "dtype"), "float32", "type"),
        ("names", ("model", "graph", "inputs", 0, "shape"), ["batch", 1, 28, 28], "shape"),
        ("names", ("model", "graph", "inputs", 0, "shape"), None, "shape"),
        ("names", ("submission", "texts"), {}, "no_contract"),
        ("names", ("submission", "texts", "contract.yaml"), "{", "contract_yaml"),
        ("pipe.raw", ("model", "rows", "batches", 0, "outputs"), {"label": [1] * 48}, "no_outputs"),
        ("pipe.raw", ("model", "rows", "problem"), "load", "model_load"),
        ("dynbatch", ("model", "batches", "problem"), "not_finite", "model_not_finite"),
        ("portability", ("model", "reference", "problem"), "error", "evaluator"),
        ("pipe.flights", ("flights", "graph", "inputs", 3, "dtype"), "string", "column"),
        ("pipe.flights", ("flights", "july", "batches", 0, "outputs"), {"label": [1] * 2000}, "no_outputs"),
        ("pipe.flights", ("results", "json", "notes", "flights"), {"sklearn": [0.5] * 3}, "no_claim"),
        ("bench.protocol", ("results", "json", "measures", "L02.B4", "batch"), 2, "no_measure"),
        ("bench.protocol", ("results", "json", "measures", "L02.B4", "warmup"), True, "warmup"),
        ("bench.protocol", ("results", "json", "measures", "L02.B4", "rounds"), 1, "rounds"),
        ("bench.protocol", ("results", "json", "measures", "L02.B4", "median", "onnx"), 99.0, "median"),
        ("bench.protocol", ("results", "json", "measures", "L02.B4", "threads"), None, "no_threads"),
        ("bench.truth", ("results", "json", "notes", "speed", "L02.B4"), "slower", "verdict"),
        ("bench.truth", ("results", "json", "notes", "speed"), ["faster"], "no_verdict"),
        ("skew", ("results", "json", "notes", "skew", "labels_with"), ["1"] * 360, "no_labels"),
        ("skew", ("results", "json", "notes", "skew", "loss"), "0.79", "no_labels"),
        ("bets", ("submission", "texts"), {}, "no_answers"),
    ],
)
def test_one_fault_has_one_cause(item: str, path: tuple[Any, ...], value: Any, cause: str, right: Sections) -> None:
    wrong = copy.deepcopy(right)
    _set(wrong, path, value)
    assert judged(item, wrong) == cause


def test_an_honest_slower_passes(right: Sections) -> None:
    slower = copy.deepcopy(right)
    samples = slower["results"]["json"]["measures"]["L02.B5"]["samples"]
    samples["eager"], samples["onnx"] = samples["onnx"], samples["eager"]
    slower["results"]["json"]["notes"]["speed"]["L02.B5"] = "slower"
    assert judged("bench.truth", slower) is None


def test_one_answer_for_all_images_is_no_batch(right: Sections) -> None:
    same = copy.deepcopy(right)
    for batch in same["model"]["batches"]["batches"]:
        rows = batch["outputs"]["probabilities"]
        batch["outputs"]["probabilities"] = [rows[0]] * len(rows)
    assert judged("dynbatch", same) == "constant"


def test_the_first_size_that_is_refused_is_named(right: Sections) -> None:
    frozen = copy.deepcopy(right)
    frozen["model"]["batches"] |= {"problem": "shape", "batches": frozen["model"]["batches"]["batches"][:1]}
    with pytest.raises(Fail) as failure:
        CHECKS["dynbatch"](Evidence(lab="02-onnx", sections=frozen, seed=1))
    assert (failure.value.cause, failure.value.facts) == ("frozen", {"batch": 7})


def test_images_that_mix_in_a_batch_are_found(right: Sections) -> None:
    mixed = copy.deepcopy(right)
    mixed["model"]["batches"]["batches"][1]["outputs"]["probabilities"].reverse()
    assert judged("dynbatch", mixed) == "mixed"


def test_a_student_s_copy_judges_what_it_can(right: Sections) -> None:
    sealed = copy.deepcopy(right)
    sealed["flights"]["hidden"] = {"problem": "sealed"}
    assert judged("pipe.flights", sealed) is None


@pytest.mark.parametrize("item", ["bench.protocol", "skew", "pipe.flights"])
def test_results_of_any_shape_are_a_fail_and_never_a_crash(item: str, right: Sections) -> None:
    chance = Random(item)
    for _ in range(400):
        wrong = dict(right)
        wrong["results"] = {"json": disturbed(right["results"]["json"], chance)}
        judged(item, wrong)
    for value in ODD:
        assert judged(item, {**right, "results": {"json": value}}) is not None


def _set(sections: Sections, path: tuple[Any, ...], value: Any) -> None:
    place: Any = sections
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
