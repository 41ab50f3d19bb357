"""A notebook's bets: complete or not, whatever the file holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grader.forms import bets_fault

BET = {"value": 3.0, "unit": "x", "confidence": 70, "time": "2026-11-22T10:00:00+00:00"}
IDS = ("L01.B1", "L01.B2")


def told(**change: Any) -> str | None:
    bets = {"L01.B1": BET, "L01.B2": {**BET, **change}}
    return bets_fault(json.dumps({"lab": "01-pickle", "bets": bets, "questions": {}}), "01-pickle", IDS)


def test_a_form_with_every_bet_is_complete() -> None:
    assert told() is None
    assert told(value=-2, confidence=0) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"value": None}, "bets.L01.B2.value"),
        ({"value": True}, "bets.L01.B2.value"),
        ({"value": float("nan")}, "bets.L01.B2.value"),
        ({"unit": " "}, "bets.L01.B2.unit"),
        ({"confidence": 101}, "bets.L01.B2.confidence"),
    ],
)
def test_an_empty_field_is_named(change: dict[str, Any], field: str) -> None:
    assert told(**change) == field


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[" * 100_000, "JSON"),
        ("[]", "lab"),
        ('{"lab": "02-onnx", "bets": {}}', "lab"),
        ('{"lab": "01-pickle"}', "bets.L01.B1"),
        ('{"lab": "01-pickle", "bets": []}', "bets.L01.B1"),
        ('{"lab": "01-pickle", "bets": {"L01.B1": 3}}', "bets.L01.B1"),
    ],
)
def test_what_is_no_form_is_a_fault_and_no_crash(text: str, field: str) -> None:
    assert bets_fault(text, "01-pickle", IDS) == field
