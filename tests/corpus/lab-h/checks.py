"""The rubric of the reference lab; what is right is computed here from the request that was sent."""

from __future__ import annotations

import json
import math
from typing import Any

from grader.checks import Fail, check
from grader.records import Evidence

TOLERANCE = 1e-6


@check("h.build")
def build(evidence: Evidence) -> None:
    result = evidence["build"]["result"]
    if not result["ok"]:
        raise Fail("not_built", problem=result["problem"], line=result["line"])


@check("h.health")
def health(evidence: Evidence) -> None:
    (answer,) = evidence["normal"]["exchanges"]["health"]
    body = answer["json"]
    if answer["status"] != 200 or not isinstance(body, dict) or body.get("status") != "ok":
        raise Fail("unhealthy")


@check("h.predict")
def predict(evidence: Evidence) -> None:
    answers = evidence["normal"]["exchanges"]["predict"]
    right = sum(map(_right, answers))
    if right < len(answers):
        raise Fail("wrong", share=right / len(answers), right=right, asked=len(answers))


def _right(answer: dict[str, Any]) -> bool:
    """Whether `y` is a plain finite number and the one that the vector asks for."""
    body = answer["json"]
    y = body.get("y") if isinstance(body, dict) else None
    if answer["status"] != 200 or isinstance(y, bool) or not isinstance(y, int | float) or not math.isfinite(y):
        return False
    a, b, c = json.loads(answer["request"]["body"])["x"]
    return abs(y - (2 * a - 3 * b + 0.5 * c + 1)) <= TOLERANCE


@check("h.errors")
def errors(evidence: Evidence) -> None:
    answers = evidence["normal"]["exchanges"]["errors"]
    refused = sum(answer["status"] in (400, 422) for answer in answers)
    if refused < len(answers):
        raise Fail("accepted", share=refused / len(answers), refused=refused, asked=len(answers))
