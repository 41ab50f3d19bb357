"""Bets: locked before the measurement, the first one stays, being wrong costs nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.session import Session

Begin = Callable[..., Session]


def _bets(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "answers.json").read_text(encoding="utf-8"))["bets"])


def test_a_bet_is_kept_with_value_unit_confidence_and_time(begin: Begin, out: Path) -> None:
    begin()
    wb.bet("L02.B1", value=3.0, unit="x", confidence=70)
    answers = json.loads((out / "answers.json").read_text(encoding="utf-8"))
    assert answers["lab"] == "02-onnx"
    bet = answers["bets"]["L02.B1"]
    assert datetime.fromisoformat(bet.pop("time")).tzinfo is not None
    assert bet == {"value": 3.0, "unit": "x", "confidence": 70}


def test_a_second_other_value_is_a_remark_and_the_first_stays(
    begin: Begin, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin()
    wb.bet("L02.B1", 3.0, "x", 70)
    wb.bet("L02.B1", 1.2, "x", 90)
    bet = _bets(out)["L02.B1"]
    assert (bet["value"], bet["confidence"]) == (3.0, 70)
    assert [remark["value"] for remark in bet["remarks"]] == [1.2]
    assert "The first bet stays: 3 x (70% sure)" in capsys.readouterr().out


def test_running_the_cell_again_changes_nothing(begin: Begin, out: Path) -> None:
    begin()
    wb.bet("L02.B1", 3.0, "x", 70)
    before = _bets(out)
    wb.bet("L02.B1", 3.0, "x", 70)
    assert _bets(out) == before


def test_remarks_do_not_grow_without_end(begin: Begin, out: Path) -> None:
    begin()
    for value in range(1, 40):
        wb.bet("L02.B1", value, "x", 70)
    remarks = _bets(out)["L02.B1"]["remarks"]
    assert len(remarks) == 20
    assert remarks[-1]["value"] == 39


@pytest.mark.parametrize("blank", [None, ...])
def test_an_open_bet_stops_the_notebook_and_says_what_to_write(begin: Begin, out: Path, blank: Any) -> None:
    begin(lang="fr")
    with pytest.raises(wb.WorkbenchError, match=r"Le pari L02.B1 est encore ouvert\s: écrivez un nombre"):
        wb.bet("L02.B1", value=blank, unit="x", confidence=70)
    assert not (out / "answers.json").exists()


@pytest.mark.parametrize(
    ("value", "unit", "confidence", "word"),
    [
        ("3", "x", 70, "value"), (True, "x", 70, "value"), (float("nan"), "x", 70, "value"), ([3], "x", 70, "value"),
        (10**400, "x", 70, "value"), (3, None, 70, "unit"), (3, 5, 70, "unit"), (3, " ", 70, "unit"),
        (3, "x" * 41, 70, "unit"), (3, "x", 101, "confidence"), (3, "x", -1, "confidence"),
        (3, "x", "sure", "confidence"), (3, "x", None, "confidence"), (3, "x", ..., "confidence"),
    ],
)  # fmt: skip
def test_a_wrong_type_is_named_and_nothing_is_kept(
    begin: Begin, out: Path, value: Any, unit: Any, confidence: Any, word: str
) -> None:
    begin()
    with pytest.raises(wb.WorkbenchError, match=f"`{word}`"):
        wb.bet("L02.B1", value, unit, confidence)
    assert not (out / "answers.json").exists()


def test_numpy_numbers_are_numbers(begin: Begin, out: Path) -> None:
    begin()
    wb.bet("L02.B1", np.float32(0.5), "x", np.int64(70))
    bet = _bets(out)["L02.B1"]
    assert (bet["value"], bet["confidence"]) == (0.5, 70)


def test_a_run_cell_refuses_until_the_bet_is_there(begin: Begin) -> None:
    begin()
    calls: list[int] = []
    with pytest.raises(wb.WorkbenchError, match=r"Place your bet L02\.B1 first"):
        wb.require("L02.B1")
    with pytest.raises(wb.WorkbenchError, match=r"Place your bet L02\.B1 first"):
        wb.measure({"a": lambda: calls.append(1)}, bet="L02.B1")
    assert calls == [], "measured although there was no bet"
    wb.bet("L02.B1", 1, "x", 50)
    wb.require("L02.B1")


def test_auto_fills_with_the_value_of_the_cell(begin: Begin, out: Path) -> None:
    begin(bets="auto")
    wb.bet("L02.B1", 3.0, "x", 70)
    assert _bets(out)["L02.B1"]["value"] == 3.0


def test_auto_lets_an_open_bet_pass_but_keeps_it_open_for_the_student(begin: Begin, out: Path) -> None:
    begin(bets="auto")
    with pytest.raises(wb.WorkbenchError):
        wb.require("L02.B1")  # its cell has not been run at all
    wb.bet("L02.B1", ..., "x", ...)
    wb.require("L02.B1")
    assert _bets(out)["L02.B1"]["value"] is None
    begin(bets="ask")
    with pytest.raises(wb.WorkbenchError, match="Place your bet"):
        wb.require("L02.B1")
    wb.bet("L02.B1", 2, "x", 60)
    assert _bets(out)["L02.B1"]["value"] == 2
    assert "remarks" not in _bets(out)["L02.B1"]


def test_a_bet_that_was_edited_into_something_else_is_no_bet(begin: Begin, out: Path) -> None:
    begin()
    for entry in ("3", 3, [], {"value": "3"}, {"value": True}, {}):
        (out / "answers.json").write_text(json.dumps({"bets": {"L02.B1": entry}}))
        with pytest.raises(wb.WorkbenchError, match="Place your bet"):
            wb.require("L02.B1")
    wb.bet("L02.B1", 3, "x", 70)
    assert _bets(out)["L02.B1"]["value"] == 3


def test_other_keys_of_the_file_stay(begin: Begin, out: Path) -> None:
    begin()
    (out / "answers.json").write_text(json.dumps({"lab": "02-onnx", "mine": [1], "bets": {"L02.B2": {"value": 1}}}))
    wb.bet("L02.B1", 3, "x", 70)
    answers = json.loads((out / "answers.json").read_text())
    assert answers["mine"] == [1]
    assert set(answers["bets"]) == {"L02.B1", "L02.B2"}


def test_once_said_to_be_locked_a_bet_outlives_a_kill(out: Path) -> None:
    """The process is killed, without a chance to clean up, as soon as it has said so."""
    code = (
        "import workbench as wb, os, signal, sys\n"
        "wb.begin(lab='02-onnx', out_dir=sys.argv[1])\n"
        "wb.bet('L02.B1', 3, 'x', 70)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(out)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    assert _bets(out)["L02.B1"]["value"] == 3
    assert os.listdir(out) == ["answers.json"]
