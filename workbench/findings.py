"""The grader's report, read with care: another program's words are text here, and points are not looked at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

SCHEMA = "grader/report/1"
OUTCOMES = ("passed", "partial", "failed", "blocked", "skipped", "error")


class NotAReport(Exception):
    """What was printed is not a report of the schema that we read."""


@dataclass(frozen=True)
class Finding:
    """What was found for one item of the rubric."""

    item: str
    outcome: str
    cause: str
    message: str
    hints: tuple[str, ...]

    @property
    def open(self) -> bool:
        """Whether there is something left to do for it."""
        return self.outcome in ("failed", "partial", "blocked")


@dataclass(frozen=True)
class Findings:
    """The items that were looked at, or why none was: `refusal` is the sentence of a submission that was not judged."""

    status: str
    refusal: str
    digest: str
    items: tuple[Finding, ...]


def read_report(text: str) -> Findings:
    """The findings in a report as JSON. Raises `NotAReport`."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise NotAReport from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or not isinstance(data.get("items"), list):
        raise NotAReport
    refusal = data.get("rejection")
    submission = data.get("submission")
    items = [_finding(item) for item in data["items"] if isinstance(item, dict) and item.get("cause") != "not_asked"]
    return Findings(
        str(data.get("status")),
        _text(refusal.get("message") or refusal.get("rule")) if isinstance(refusal, dict) else "",
        _text(submission.get("digest")) if isinstance(submission, dict) else "",
        tuple(item for item in items if item.outcome in OUTCOMES),
    )


def _finding(item: dict[str, Any]) -> Finding:
    hints = item.get("hints")
    return Finding(
        _text(item.get("id")),
        _text(item.get("outcome")),
        _text(item.get("cause")),
        _text(item.get("message")),
        tuple(hint for hint in hints if isinstance(hint, str)) if isinstance(hints, list) else (),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
