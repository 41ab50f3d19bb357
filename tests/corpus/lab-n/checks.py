"""The rubric of the reference lab; the score comes from what the model answered, never from what a cell printed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from grader.checks import Fail, check
from grader.records import Evidence

NOTHING, FULL = 0.5, 0.95
ROOM = 0.05


@check("n.exec")
def executed(evidence: Evidence) -> None:
    section = evidence["train"]
    cells, result = section["cells"], section["result"]
    fine = [cell for cell in cells if cell["executed"] and cell["in_order"] and not _failed(cell)]
    if not cells or len(fine) < len(cells) or result["problem"] is not None:
        raise Fail("cells", ran=len(fine), cells=len(cells))


@check("n.artifact")
def answers(evidence: Evidence) -> None:
    _answers(evidence)


@check("n.score")
def score(evidence: Evidence) -> float | None:
    r2 = _r2(evidence)
    share = (r2 - NOTHING) / (FULL - NOTHING)
    if share < 1:
        raise Fail("weak", share=max(0.0, share), r2=round(r2, 3))
    return None


@check("n.metrics")
def metrics(evidence: Evidence) -> None:
    found = evidence["metrics"]["json"]
    claimed = found.get("r2") if isinstance(found, dict) else None
    if isinstance(claimed, bool) or not isinstance(claimed, int | float) or not math.isfinite(claimed):
        raise Fail("no_figure")
    r2 = _r2(evidence)
    if abs(claimed - r2) > ROOM:
        raise Fail("untrue", claimed=round(claimed, 3), r2=round(r2, 3))


def _failed(cell: dict[str, Any]) -> bool:
    return cell["error"] is not None and "raises-exception" not in cell["tags"]


def _answers(evidence: Evidence) -> np.ndarray[Any, Any]:
    """One number a row, from the model's only output."""
    run = evidence["model"]["rows"]
    if run["problem"] is not None:
        raise Fail("silent", problem=run["problem"])
    outputs = list(run["batches"][0]["outputs"].values())
    if len(outputs) != 1 or np.shape(outputs[0]) != (len(run["truth"]), 1):
        raise Fail("silent", problem="shape")
    return np.array(outputs[0], dtype=float)[:, 0]


def _r2(evidence: Evidence) -> float:
    truth = np.array(evidence["model"]["rows"]["truth"])
    residual = np.sum((_answers(evidence) - truth) ** 2)
    return float(1 - residual / np.sum((truth - truth.mean()) ** 2))
