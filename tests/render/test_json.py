"""The JSON view is a contract with other programs: shape, order, aliases, plain values."""

from __future__ import annotations

import json

import pytest

from grader.records import Rejection, Report
from grader.render.inert import REPORT_LIMIT
from grader.render.json import render_json

from . import factory
from .test_inert import active


def test_the_shape_and_the_order_of_the_keys() -> None:
    data = json.loads(render_json(factory.report()))
    assert " ".join(data) == (
        "schema lab submission status class score max_score provisional rejection items digests"
        " grader engine seed seconds"
    )
    assert " ".join(data["items"][0]) == "id outcome points max_points visibility cause facts message hints"
    assert data["schema"] == "grader/report/1"
    assert data["class"] == "GRADED"
    assert list(data["submission"]) == ["source", "digest"]
    assert list(data["digests"]) == ["lab", "evidence", "base"]


def test_it_reads_back_as_the_same_report() -> None:
    """The stored report is this text: what it lost could not be worded in the other language later."""
    rejection = Rejection(rule="base", message="Line 1: not this base.", facts={"line": 1})
    rejected = factory.report(status="rejected", run_class="REJECT_POLICY", rejection=rejection, items=())
    for report in (factory.report(), rejected):
        assert Report.model_validate_json(render_json(report)) == report
    assert list(json.loads(render_json(rejected))["rejection"]) == ["rule", "message", "facts"]


@pytest.mark.parametrize("text", factory.HOSTILE)
def test_hostile_strings_are_inert_and_valid_utf8(text: str) -> None:
    shown = render_json(factory.hostile_report(text))
    assert active(shown, lines=True) == []
    json.loads(shown.encode("utf-8"))


def test_a_flood_of_facts_is_cut_and_says_so() -> None:
    flood = factory.item("build", facts={str(index): "x" * 4000 for index in range(1000)})
    text = render_json(factory.report(items=(flood,)))
    assert len(text.encode()) <= REPORT_LIMIT
    assert json.loads(text)["items"][0]["facts"] == {"truncated": True}
