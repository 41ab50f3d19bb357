"""Whatever a student's file claims, reading it neither raises nor lets a number through that breaks arithmetic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grader.claims import LARGEST, is_number, is_whole, parsed, table
from tests.odd import ODD


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "9" * 5000, None, 3, ["{}"], b"\xff"])
def test_what_is_no_json_is_nothing(text: Any) -> None:
    assert parsed(text) is None


def test_what_is_json_is_its_value() -> None:
    assert parsed('{"a": [1, 2.5]}') == {"a": [1, 2.5]}


@pytest.mark.parametrize("odd", ODD)
def test_a_table_is_found_under_anything_or_is_empty(odd: Any) -> None:
    assert table({"a": {"b": {"c": 1}}}, "a", "b") == {"c": 1}
    assert table({"a": odd}, "a", "b") == {}
    assert isinstance(table(odd), dict)


@pytest.mark.parametrize("value", [0, -7, 2.5, 1e-300, LARGEST, -LARGEST])
def test_numbers_are_numbers(value: Any) -> None:
    assert is_number(value)


@pytest.mark.parametrize("value", [True, None, "1", [1], float("nan"), float("inf"), 1e300, LARGEST + 1, 10**400])
def test_what_arithmetic_would_break_on_is_no_number(value: Any) -> None:
    assert not is_number(value) and not is_whole(value)


def test_whole_numbers_have_a_least_one() -> None:
    assert is_whole(5, 5) and not is_whole(4, 5) and not is_whole(5.0, 5) and is_whole(-1)


@pytest.mark.parametrize("odd", ODD)
def test_a_number_survives_what_checks_do_with_it(odd: Any) -> None:
    for value in odd if isinstance(odd, list) else [odd]:
        if is_number(value):
            json.dumps([value / 3, abs(value - 0.5), round(float(value), 3)], allow_nan=False)
