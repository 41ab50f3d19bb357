"""A notebook's bets: complete or not, whatever the file holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grader.forms import bets_fault, forecast_fault

BET = {"value": 3.0, "unit": "x", "confidence": 70, "time": "2026-11-22T10:00:00+00:00"}
IDS = ("L01.B1", "L01.B2")


def told(**change: Any) -> str | None:
    bets = {"L01.B1": BET, "L01.B2": {**BET, **change}}
    return bets_fault(json.dumps({"lab": "01-pickle", "bets": bets, "questions": {}}), "01-pickle", IDS)


def test_a_form_with_every_bet_is_complete() -> None:
    assert told() is None
    assert told(value=-2, confidence=0) is None


@pytest.mark.parametrize(
    "change",
    [
        {"value": None},
        {"value": True},
        {"value": float("nan")},
        {"unit": " "},
        {"confidence": 101},
    ],
)
def test_an_empty_bet_is_named(change: dict[str, Any]) -> None:
    assert told(**change) == "bets.L01.B2"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[" * 100_000, "JSON"),
        ("[]", "lab"),
        ('{"lab": "02-onnx", "bets": {}}', "lab"),
        ('{"lab": "01-pickle"}', "bets"),
        ('{"lab": "01-pickle", "bets": []}', "bets"),
        ('{"lab": "01-pickle", "bets": {"L01.B1": 3}}', "bets.L01.B1"),
    ],
)
def test_what_is_no_form_is_a_fault_and_no_crash(text: str, field: str) -> None:
    assert bets_fault(text, "01-pickle", IDS) == field


def test_an_open_question_is_named_where_questions_are_asked_for() -> None:
    form = {"lab": "01-pickle", "bets": {"L01.B1": BET}, "questions": {"L01.Q1": {"answer": "42", "choice": 1}}}
    assert bets_fault(json.dumps(form), "01-pickle", IDS[:1], ("L01.Q1",)) is None
    assert bets_fault(json.dumps(form), "01-pickle", IDS[:1], ("L01.Q2",)) == "questions.L01.Q2"


def test_a_hand_written_form_may_share_its_file_with_a_notebook() -> None:
    """Lab 05 has both: its own five forecasts, and the bets that the notebook places."""
    form = {"lab": "05-docker", "bets": {"image_mb": 9, "L05.B1": BET}, "reasons": {"image_mb": "fastapi and numpy"}}
    assert forecast_fault(json.dumps({**form, "questions": {}}), "05-docker", ("image_mb",)) is None
    assert forecast_fault(json.dumps({**form, "notes": {}}), "05-docker", ("image_mb",)) == "lab, bets, reasons"
    form["bets"] = {"image_mb": 9, "L5.B1": BET}
    assert forecast_fault(json.dumps(form), "05-docker", ("image_mb",)) == "bets"
