"""Judges the light notebook."""

import json

from grader.checks import Fail, check, usable
from grader.records import Evidence


@check("runs")
def runs(evidence: Evidence) -> None:
    usable(evidence["light"])


@check("result")
def result(evidence: Evidence) -> None:
    found = json.loads(evidence["light"]["texts"].get("result.json", "{}"))
    if not found.get("accuracy", 0) > 0.9:
        raise Fail("wrong", accuracy=found.get("accuracy"))
