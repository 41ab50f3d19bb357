"""A sentence of the deck is told in one order, and its verdict is one of three."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench import myths
from workbench.session import Session

Begin = Callable[..., Session]
Read = Callable[[str], Any]


def test_the_language_of_each_part_is_said(begin: Begin, read_page: Read) -> None:
    session = begin()
    card = myths.myth(session, "L02.M1", "« Trois fois plus vite »", "faux", {"en": "a", "fr": "b"}, 2.0, "x", None)
    page = read_page(card.html())
    assert page.all("section")[0]["lang"] == "en"
    assert "fr" in [span.get("lang") for span in page.all("span")]


def test_a_myth_is_told_in_a_fixed_order_and_kept(begin: Begin, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin(lang="fr", fast=True)
    wb.bet("L02.B1", 3, "x", 70)
    m = wb.measure({"a": int, "b": float}, bet="L02.B1")
    capsys.readouterr()
    wb.myth("L02.M1", "« Trois fois plus vite »", "ça dépend", {"en": "by batch", "fr": "selon le lot"}, measured=m)
    shown = capsys.readouterr().out
    places = [shown.index(part) for part in ("« Trois fois", "3 x", "médiane", "ça dépend", "selon le lot")]
    assert places == sorted(places)
    kept = json.loads((out / "results.json").read_text(encoding="utf-8"))["notes"]["L02.M1"]
    assert kept == {"verdict": "ça dépend", "measured": "L02.B1"}


def test_an_open_verdict_is_asked_for_and_stops_nothing(
    begin: Begin, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin()
    wb.myth("L02.M1", "« x »", ..., ..., measured=0.25, unit="x")
    assert "The verdict is yours: write one of vrai | faux | ça dépend" in capsys.readouterr().out
    assert not (out / "results.json").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"verdict": "true"}, "vrai | faux | ça dépend"), ({"verdict": "ca depend"}, "one of: ça dépend"),
        ({"verdict": True}, "`verdict`"), ({"verdict": ["vrai"]}, "`verdict`"), ({"sentence": ""}, "`sentence`"),
        ({"condition": "text"}, "`condition`"), ({"condition": {"fr": "a"}}, "`condition`"),
        ({"measured": None}, "`measured`"), ({"measured": "3"}, "`measured`"), ({"id": "L02.B1"}, "no id"),
        ({"bet": "L02.B9"}, "Place your bet"),
    ],
)  # fmt: skip
def test_a_myth_told_wrongly_is_named(begin: Begin, out: Path, wrong: dict[str, Any], said: str) -> None:
    begin()
    right = {"id": "L02.M1", "sentence": "« x »", "verdict": "faux", "condition": {"en": "a", "fr": "b"}, "measured": 1}
    with pytest.raises(wb.WorkbenchError, match=re.escape(said)):
        wb.myth(**(right | wrong))
    assert not (out / "results.json").exists()
