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
    assert list(data) == [
        "schema",
        "lab",
        "submission",
        "status",
        "class",
        "score",
        "max_score",
        "provisional",
        "rejection",
        "items",
        "digests",
        "grader",
        "engine",
        "seed",
        "seconds",
    ]
    assert list(data["items"][0]) == [
        "id",
        "outcome",
        "points",
        "max_points",
        "visibility",
        "cause",
        "facts",
        "message",
        "hints",
    ]
    assert data["schema"] == "grader/report/1"
    assert data["class"] == "GRADED"
    assert list(data["submission"]) == ["source", "digest"]
    assert list(data["digests"]) == ["lab", "evidence", "base"]


def test_a_rejection_is_a_rule_and_a_message() -> None:
    rejected = factory.report(
        status="rejected",
        run_class="REJECT_POLICY",
        rejection=Rejection(rule="base", message="Not this base.", facts={"line": 1}),
    )
    assert json.loads(render_json(rejected))["rejection"] == {"rule": "base", "message": "Not this base."}


def test_it_reads_back_as_the_same_report() -> None:
    assert Report.model_validate_json(render_json(factory.report())) == factory.report()


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
