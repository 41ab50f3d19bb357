"""Lab 03 over evidence made by hand: the solution's files as read, then one thing changed at a time."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from grader.artifacts import scan
from grader.judging import judge
from grader.lab import load_lab
from grader.records import Evidence, Verdict
from tests.odd import disturbed

ROOT = Path(__file__).parent.parent
LAB = load_lab(ROOT / "labs" / "03-quantization")
SOLUTION = ROOT / "solutions" / "03-quantization"
FLAGS = ["avx2", "avx512_vnni"]
LABELS = [7, 1, 0, 4] * 50
Change = Callable[[dict[str, Any]], object]


@cache
def _scanned() -> dict[str, Any]:
    return {name: scan(SOLUTION / spec.file, spec.format) for name, spec in LAB.artifacts.items()}


def _run(right: int = len(LABELS)) -> dict[str, Any]:
    """Answers of a model that reads so many of the rows; the fp32 networks read all of them."""
    read = [label if at < right else (label + 1) % 10 for at, label in enumerate(LABELS)]
    truth = {"labels": LABELS, "fp32_right": dict.fromkeys(("cnn384", "fast", "mlp"), len(LABELS))}
    return {"problem": None, "message": "", "batches": [{"batch": 1, "outputs": {"label": read}}], "truth": truth}


def _timed(ratio: float, flags: list[str]) -> dict[str, Any]:
    rows = [{"batch": batch, "mine": [1.0, 1.1], "reference": [ratio, ratio * 1.1]} for batch in (1, 32)]
    return {"problem": None, "message": "", "batches": rows, "flags": flags, "threads": 1, "truth": None}


def _verdicts(change: Change | None = None) -> dict[str, Verdict]:
    sections = copy.deepcopy(_scanned())
    for name, spec in LAB.artifacts.items():
        sections[name]["file"]["path"] = spec.file
        for run, asked in spec.runs.items():
            sections[name][run] = _timed(3.3, FLAGS) if asked.pair else _run()
    answers = (SOLUTION / "answers.json").read_text(encoding="utf-8")
    sections["submission"] = {"texts": {"answers.json": answers}}
    if change:
        change(sections)
    evidence = Evidence(lab=LAB.id, sections=sections, engine="local", seed=0)
    return {verdict.item: verdict for verdict in judge(LAB, evidence)}


def _lost(change: Change) -> dict[str, tuple[str, str | None]]:
    """Item -> outcome and cause of all that did not pass; an item that waits for another one is left out."""
    verdicts = _verdicts(change)
    return {
        name: (one.outcome, one.cause) for name, one in verdicts.items() if one.outcome not in ("passed", "blocked")
    }


def _results(sections: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = sections["results"]["json"]
    return found


def test_the_solution_passes_every_item() -> None:
    assert {name: verdict.outcome for name, verdict in _verdicts().items()} == {item.id: "passed" for item in LAB.items}


def test_a_processor_without_int8_products_owes_no_speed() -> None:
    lost = _lost(lambda sections: sections["cnn"].update(faster=_timed(0.9, ["avx2"])))
    assert lost == {"cnn.speed": ("skipped", "no_vnni")}


def test_a_model_that_is_no_faster_loses_the_speed_alone() -> None:
    lost = _lost(lambda sections: sections["cnn"].update(faster=_timed(1.1, FLAGS)))
    assert lost == {"cnn.speed": ("failed", "slow")}


def test_a_quick_constant_answer_earns_no_speed() -> None:
    verdicts = _verdicts(lambda sections: sections["cnn"].update(other_hands=_run(right=50)))
    assert verdicts["cnn.acc"].cause == "drop"
    assert verdicts["cnn.speed"].outcome == "blocked"


@pytest.mark.parametrize(("section", "item", "most"), [
    ("mlp", "mlp.acc", 2), ("cnn", "cnn.acc", 3), ("pruned", "prune.acc", 4), ("pruned_int8", "order", 6),
])  # fmt: skip
def test_the_drop_is_held_to_its_limit(section: str, item: str, most: int) -> None:
    assert not _lost(lambda sections: sections[section].update(held_out=_run(len(LABELS) - most)))
    lost = _lost(lambda sections: sections[section].update(held_out=_run(len(LABELS) - most - 1)))
    assert lost == {item: ("failed", "drop")}


def test_probabilities_alone_are_an_answer() -> None:
    rows = [[float(digit == label) for digit in range(10)] for label in LABELS]

    def change(sections: dict[str, Any]) -> None:
        sections["mlp"]["held_out"]["batches"][0]["outputs"] = {"probabilities": rows}

    assert not _lost(change)


@pytest.mark.parametrize(
    "outputs", [{}, {"score": [1]}, {"probabilities": LABELS}, {"probabilities": [[]]}, {"label": []}]
)
def test_odd_outputs_are_the_student_s_fault(outputs: dict[str, Any]) -> None:
    def change(sections: dict[str, Any]) -> None:
        sections["mlp"]["held_out"]["batches"][0]["outputs"] = outputs

    assert _lost(change) == {"mlp.acc": ("failed", "outputs")}


def test_a_student_s_copy_has_no_hidden_digits() -> None:
    def change(sections: dict[str, Any]) -> None:
        for name in ("mlp", "cnn", "pruned", "pruned_int8"):
            del sections[name]["other_hands"]

    assert not _lost(change)


def test_a_float_copy_that_no_node_reads_counts_as_size_not_as_weight() -> None:
    def change(sections: dict[str, Any]) -> None:
        rows = sections["mlp"]["graph"]["initializers"]
        rows.append({**rows[0], "name": "left_over", "dtype": "float32", "shape": [512, 512], "bytes": 1 << 20})

    assert not _lost(change)


def test_ranges_found_at_each_call_are_dynamic_whatever_the_operator() -> None:
    def change(sections: dict[str, Any]) -> None:
        graph = sections["cnn"]["graph"]
        node = next(node for node in graph["nodes"] if node["op"] == "Conv")
        reader = next(one for one in graph["nodes"] if node["inputs"][0] in one["outputs"])
        reader["inputs"][1] = "computed"

    assert _lost(change) == {"cnn.static": ("failed", "dynamic")}


@pytest.mark.parametrize("indices", [None, [], "0", [True], [0.0], [-1], [10**19], {"0": 1}])
def test_odd_calibration_rows_are_refused(indices: Any) -> None:
    lost = _lost(lambda sections: sections["calibration"]["json"].update(indices=indices))
    assert lost == {"cnn.calib": ("failed", "form")}


def test_calibration_rows_in_another_order_have_another_hash() -> None:
    lost = _lost(lambda sections: sections["calibration"]["json"]["indices"].reverse())
    assert lost == {"cnn.calib": ("failed", "hash")}


@pytest.mark.parametrize("value", [None, [], 3, "x", {"json": []}])
def test_results_of_another_shape_are_refused(value: Any) -> None:
    lost = _lost(lambda sections: sections["results"].update(json=value))
    assert lost == {"speed.protocol": ("failed", "no_measure"), "prune.size": ("failed", "no_sizes")}


@pytest.mark.parametrize(
    "samples", [None, [1.0], [1.0] * 9, [1.0, 2.0, 3.0, 4.0, "5"], [1, 2, 3, 4, 10**19], [0, 1, 2, 3, 4]]
)
def test_odd_samples_are_no_samples(samples: Any) -> None:
    lost = _lost(lambda sections: _results(sections)["measures"]["cnn"]["samples"].update(static=samples))
    assert lost == {"speed.protocol": ("failed", "no_samples")}


@pytest.mark.parametrize(
    "threads", [None, 0, "1", {"onnxruntime": {"fp32": 1, "static": 2}}, {"onnxruntime": {}}, {"cpus": 2}]
)
def test_unequal_or_untold_threads_are_refused(threads: Any) -> None:
    lost = _lost(lambda sections: _results(sections)["measures"]["cnn"].update(threads=threads))
    assert lost == {"speed.protocol": ("failed", "threads")}


@pytest.mark.parametrize("name", ["sparse", "openvino"])
def test_the_later_duels_are_missed_by_the_verdict_only(name: str) -> None:
    lost = _lost(lambda sections: _results(sections)["measures"].pop(name))
    assert lost == {"speed.honest": ("failed", "no_measure")}


@pytest.mark.parametrize(("said", "cause"), [
    (None, "no_verdict"), ({"ratio": 10**19, "verdict": "faster"}, "no_verdict"), ({"ratio": 3.0}, "no_verdict"),
    ({"ratio": 3.0, "verdict": ["faster"]}, "no_verdict"),
    ({"ratio": -1e9, "verdict": "faster"}, "ratio"), ({"ratio": 1e9, "verdict": "faster"}, "ratio"),
])  # fmt: skip
def test_odd_verdicts_are_refused(said: Any, cause: str) -> None:
    lost = _lost(lambda sections: _results(sections)["notes"]["verdicts"].update({"lenet.static": said}))
    assert lost == {"speed.honest": ("failed", cause)}


def test_a_wrong_word_beside_a_right_ratio_is_refused() -> None:
    lost = _lost(lambda sections: _results(sections)["notes"]["verdicts"]["cnn.dynamic"].update(verdict="faster"))
    assert lost == {"speed.honest": ("failed", "word")}


@pytest.mark.parametrize(("size", "cause"), [
    ({"raw": 340960}, "no_sizes"), ({"raw": 1, "gzip": 1}, "raw"), ({"raw": 340960, "gzip": 10**15}, "gzip"),
    ({"raw": 340960, "gzip": 10**400}, "no_sizes"),
])  # fmt: skip
def test_typed_sizes_are_noticed(size: Any, cause: str) -> None:
    lost = _lost(lambda sections: _results(sections)["notes"]["sizes"].update({"pruned.safetensors": size}))
    assert lost == {"prune.size": ("failed", cause)}


@pytest.mark.parametrize(("change", "cause"), [
    (lambda row: row.update(zeros=0), "share"), (lambda row: row.update(dtype="F16"), "names"),
    (lambda row: row.update(name="15.weight_mask"), "masks"), (lambda row: row.update(shape=[64, 576]), "names"),
])  # fmt: skip
def test_odd_pruned_tensors_are_refused(change: Change, cause: str) -> None:
    def changed(sections: dict[str, Any]) -> None:
        rows = sections["pruned"]["tensors"]["tensors"]
        change(next(row for row in rows if row["name"] == "15.weight"))

    assert _lost(changed) == {"prune.sparsity": ("failed", cause)}


def test_zeros_may_stand_at_another_zero_point() -> None:
    def change(sections: dict[str, Any]) -> None:
        for row in sections["pruned_int8"]["graph"]["initializers"]:
            if row.get("commonest"):
                row.update(dtype="uint8", zeros=0, commonest=[128, row["commonest"][1]])

    assert not _lost(change)


@pytest.mark.parametrize("typed", ["results", "calibration", "answers"])
def test_an_odd_value_anywhere_in_what_was_typed_breaks_no_check(typed: str) -> None:
    answers = json.loads((SOLUTION / "answers.json").read_text(encoding="utf-8"))
    chance, lost = Random(typed), 0
    for _ in range(150):

        def change(sections: dict[str, Any]) -> None:
            if typed == "answers":
                sections["submission"]["texts"]["answers.json"] = json.dumps(disturbed(answers, chance))
            else:
                sections[typed]["json"] = disturbed(sections[typed]["json"], chance)

        outcomes = {verdict.outcome for verdict in _verdicts(change).values()}
        assert "error" not in outcomes
        lost += "failed" in outcomes
    assert lost > 30
