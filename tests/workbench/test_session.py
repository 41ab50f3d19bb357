"""The set-up cell: what is wrong with it is said at once, in the notebook's language."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.session import Session, is_number, is_whole

Begin = Callable[..., Session]


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"lab": ""}, "lab"), ({"lab": 2}, "lab"), ({"lab": "../05"}, "lab"),
        ({"seed": -1}, "seed"), ({"seed": 1.5}, "seed"), ({"seed": True}, "seed"),
        ({"fast": 1}, "fast"), ({"bets": "maybe"}, "bets"), ({"lang": "de"}, "lang"),
        ({"n_repeats": 4}, "n_repeats"), ({"n_repeats": "7"}, "n_repeats"), ({"n_repeats": True}, "n_repeats"),
        ({"out_dir": None}, "out_dir"), ({"out_dir": 3}, "out_dir"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(begin: Begin, wrong: dict[str, Any], name: str) -> None:
    with pytest.raises(wb.WorkbenchError, match=f"`{name}`"):
        begin(**wrong)


def test_a_folder_that_is_missing_is_named_and_not_made(begin: Begin, tmp_path: Path) -> None:
    with pytest.raises(wb.WorkbenchError, match=r"nowhere n'existe pas\s: créez-le"):
        begin(out_dir=tmp_path / "nowhere", lang="fr")
    assert not (tmp_path / "nowhere").exists()


def test_a_file_in_place_of_the_folder_is_no_folder(begin: Begin, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(wb.WorkbenchError, match="does not exist"):
        begin(out_dir=tmp_path / "file")


def test_the_folder_stays_the_same_when_the_notebook_changes_directory(
    begin: Begin, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(out)
    begin(out_dir=".", bets="auto")
    monkeypatch.chdir(tmp_path)
    wb.bet("L02.B1", 1, "x", 50)
    assert (out / "answers.json").is_file()


@pytest.mark.parametrize(
    "call",
    [
        lambda: wb.bet("L02.B1", 1, "x", 50), lambda: wb.require("L02.B1"), lambda: wb.measure({"a": int}, id="a"),
        lambda: wb.note("a", 1), lambda: wb.check("L02.E1"), lambda: wb.hint("L02.E1"), lambda: wb.ask("L02.Q1"),
        lambda: wb.myth("L02.M1"), lambda: wb.figure(b""),
    ],
)  # fmt: skip
def test_before_the_set_up_cell_each_call_says_so_in_both_languages(call: Callable[[], object]) -> None:
    with pytest.raises(wb.WorkbenchError, match=r"Run the set-up cell first.* / Exécutez d'abord"):
        call()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("L02.E1", "L02.B1"), ("L2.B1", "L02.B1"), ("b1", "L02.B1"), (None, "L02.B1"), (3, "L02.B1"),
        ("L02.B0", "L02.B1"), ("L02.B1\n", "L02.B1"), ("L03.B1", "another lab than 02-onnx"),
    ],
)  # fmt: skip
def test_an_unknown_id_is_answered_with_one_that_would_do(begin: Begin, given: Any, said: str) -> None:
    begin()
    with pytest.raises(wb.WorkbenchError, match=said):
        wb.bet(given, 1, "x", 50)


def test_a_lab_without_a_number_is_known_by_its_last_letter(begin: Begin, out: Path) -> None:
    begin(lab="lab-n")
    wb.bet("LN.B1", 1, "x", 50)
    with pytest.raises(wb.WorkbenchError, match="another lab"):
        wb.bet("L02.B1", 1, "x", 50)


def test_an_object_whose_repr_fails_does_not_hide_the_sentence(begin: Begin) -> None:
    class Awkward:
        def __repr__(self) -> str:
            raise RuntimeError

    begin()
    with pytest.raises(wb.WorkbenchError, match="<Awkward>"):
        wb.bet("L02.B1", Awkward(), "x", 50)


def test_numbers_are_told_from_what_only_looks_like_one() -> None:
    assert all(map(is_number, (1, 0.5, np.float32(2), np.int64(3), -1)))
    assert not any(map(is_number, (True, "1", None, ..., float("nan"), float("inf"), 10**400, 1j, [1], np.array([1]))))
    assert all(map(is_whole, (0, np.int8(3))))
    assert not any(map(is_whole, (1.0, True, "1", None, np.array([1, 2]), np.bool_(True))))


def test_importing_it_imports_only_the_standard_library() -> None:
    """Not a time: what would cost one. A notebook must not wait for numpy before its first cell has run."""
    code = "import sys; before = set(sys.modules); import workbench; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded - {"workbench"} <= sys.stdlib_module_names
    assert not loaded & {"subprocess", "tomllib", "asyncio", "tempfile", "json"}, "needed later, if at all"
