"""The two checks of lab 01 over hidden rows: what the weights are worth, and whether the pipeline is whole and safe."""

from __future__ import annotations

import re
from typing import Any

from grader.checks import Fail, check
from grader.claims import parsed
from grader.records import Evidence

ACCURACY, AGREEMENT = 0.90, 0.97
SKOPS, ONNX, LOADED = "artifacts/pipeline.skops", "artifacts/pipeline.onnx", "artifacts/pipeline.json"
# What a pipeline of scikit-learn is made of. skops keeps a list of its own and is asked too, in the sandbox.
TRUSTED = re.compile(
    r"builtins\.(bool|bytes|complex|dict|float|frozenset|int|list|NoneType|range|set|slice|str|tuple)"
    r"|numpy\.(ndarray|dtype|bool_?|u?int(8|16|32|64)|float(16|32|64)|log1?p?|exp(m1)?|sqrt)"
    r"|numpy\.dtypes\.\w+|scipy\.sparse\.\w+(\.\w+)?|collections\.(OrderedDict|defaultdict)"
    r"|sklearn\.[\w.]+"
)


@check("st.weights")
def st_weights(evidence: Evidence) -> None:
    """The forward pass over the handed-in weights reads most of the dirtied held-out digits rightly."""
    file = evidence["model"]["file"]
    if file["problem"]:
        raise Fail("missing" if file["problem"] == "missing" else "broken", problem=file["problem"])
    run = evidence["model"]["rows"]
    if run["problem"]:
        raise Fail("does_not_run", problem=run["problem"], message=run["message"])
    rows, labels = run["batches"][0]["outputs"]["probabilities"], run["truth"]["labels"]
    right = sum(row.index(max(row)) == label for row, label in zip(rows, labels, strict=True))
    if right < ACCURACY * len(labels):
        raise Fail("accuracy", percent=_percent(right / len(labels)), wanted=_percent(ACCURACY))


@check("pipeline.safe")
def pipeline_safe(evidence: Evidence) -> None:
    """The pipeline needs no trust, and from raw rows it gives the labels of the reference."""
    files = {file["path"] for file in evidence["submission"]["files"]}
    if SKOPS in files:
        _only_trusted(evidence)
    elif ONNX in files:
        _agree(*_labels_of_graph(evidence))
        return
    elif LOADED not in files:
        raise Fail("missing")
    _agree(*_labels_of_loader(evidence))


def _only_trusted(evidence: Evidence) -> None:
    file = evidence["skops"]["file"]
    if file["problem"]:
        raise Fail("broken", file="pipeline.skops", problem=file["problem"])
    for name in evidence["skops"]["skops"]["types"]:
        if not TRUSTED.fullmatch(name):
            raise Fail("untrusted", type=name[:100])


def _labels_of_graph(evidence: Evidence) -> tuple[list[Any], list[int]]:
    file = evidence["graph"]["file"]
    if file["problem"]:
        raise Fail("broken", file="pipeline.onnx", problem=file["problem"])
    run = evidence["graph"]["rows"]
    if run["problem"]:
        raise Fail("does_not_run", problem=run["problem"], message=run["message"])
    desks = run["truth"]["desks"]
    for values in run["batches"][0]["outputs"].values():
        flat = [row[0] if isinstance(row, list) and len(row) == 1 else row for row in values]
        if len(flat) == len(desks) and all(type(value) is int for value in flat):
            return flat, desks
    raise Fail("no_labels")


def _labels_of_loader(evidence: Evidence) -> tuple[list[Any], list[int]]:
    section = evidence["pipeline"]
    found = parsed(section["texts"].get("labels.json"))
    if found is None:
        raise Fail("does_not_run", problem=str(section["result"]["problem"]), message="-")
    if not isinstance(found, dict) or found.get("problem") or not isinstance(found.get("labels"), list):
        told = found if isinstance(found, dict) else {}
        raise Fail("does_not_run", problem=str(told.get("problem")), message=str(told.get("message"))[:200])
    return found["labels"], section["truth"]["desks"]


def _agree(labels: list[Any], desks: list[int]) -> None:
    if len(labels) != len(desks):
        raise Fail("no_labels")
    same = sum(type(label) is int and label == desk for label, desk in zip(labels, desks, strict=True))
    if same < AGREEMENT * len(desks):
        raise Fail("labels", percent=_percent(same / len(desks)), wanted=_percent(AGREEMENT))


def _percent(share: float) -> int:
    return int(100 * share)
