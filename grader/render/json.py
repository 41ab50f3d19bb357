"""The report as JSON: schema `grader/report/1`, the form that other programs read."""

from __future__ import annotations

import json

from grader.records import Json, Report
from grader.render.inert import REPORT_LIMIT, inert_json


def render_json(report: Report) -> str:
    """The report in the shape and key order of `grader/report/1`, indented, UTF-8, ending with a newline."""
    data = inert_json(report.model_dump(mode="python", by_alias=True))
    text = _dump(data)
    if len(text.encode()) > REPORT_LIMIT:
        for item in data["items"]:
            item["facts"] = {"truncated": True}
        text = _dump(data)
    return text


def _dump(data: Json) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
