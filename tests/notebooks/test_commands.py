"""What an author types: exit codes and sentences of `grader notebook`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import cli

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(home: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    def act(*arguments: str) -> tuple[int, str, str]:
        status = cli.invoke(["notebook", *arguments], {"GRADER_HOME": str(home), "LANG": "C"})
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return act


def test_build_writes_what_is_stale_and_check_writes_nothing(home: Path, ask: Ask) -> None:
    notebook = home / "notebooks" / "fr" / "90-door.ipynb"
    notebook.unlink()
    status, out, _ = ask("build", "--check")
    assert status == 1 and "stale" in out and not notebook.exists()
    status, out, _ = ask("build")
    assert status == 0 and "written" in out and notebook.exists()
    status, out, _ = ask("build", "--check", "--lang", "fr")
    assert status == 0 and out == "Sources lues : 1. Fichiers qui n'étaient pas conformes à leur source : 0.\n"


def test_build_makes_the_glossary_s_pages(home: Path, ask: Ask) -> None:
    page = home / "docs" / "reference" / "glossary.md"
    page.write_text("old", encoding="utf-8")
    assert ask("build", "--check")[0] == 1
    assert ask("build")[0] == 0
    assert "API" in page.read_text(encoding="utf-8")


def test_build_tells_of_a_notebook_that_nothing_makes(home: Path, ask: Ask) -> None:
    (home / "notebooks" / "en" / "89-gone.ipynb").write_text("{}", encoding="utf-8")
    status, out, _ = ask("build")
    assert status == 1 and "89-gone.ipynb" in out


def test_solutions_go_where_they_are_asked_for(home: Path, ask: Ask, tmp_path: Path) -> None:
    assert ask("build", "90", "--solutions", str(tmp_path / "solved"))[0] == 0
    made = json.loads((tmp_path / "solved" / "en" / "90-door.ipynb").read_text(encoding="utf-8"))
    assert made["metadata"]["workbench"]["version"] == "solution"
    assert "NotImplementedError" not in json.dumps(made)
    assert ask("build", "--check")[0] == 0, "the students' versions are as they were"


def test_lint_says_rule_place_and_what_to_do(source: Path, ask: Ask) -> None:
    assert ask("lint") == (0, "90-door: breaks of a rule found: 0.\n", "")
    source.write_text(source.read_text(encoding="utf-8").replace("confidence=60", ""), encoding="utf-8")
    status, out, _ = ask("lint", "90", "--rule", "R06")
    assert status == 1
    assert out.startswith("R06  cell 5, line 63 `wb.bet(")
    assert "The bet L90.B1 needs `confidence=` with a literal. Add it." in out
    status, out, _ = ask("lint", "--lang", "fr")
    assert "R09  tout le notebook : " in out and "Tapez : grader notebook build 90-door" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("lint", "--rule", "R99"), "There is no rule R99."),
        (("lint", "77"), "There is no notebook “77”"),
        (("run", "90", "--student", " "), "The key of a student is empty."),
        (("run", "90", "--keep", "/"), "/ exists already."),
    ],
)
def test_a_slip_is_one_sentence_and_exit_2(ask: Ask, arguments: tuple[str, ...], sentence: str) -> None:
    status, out, err = ask(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(sentence) and err.count("\n") == 1


def test_a_checkout_without_notebooks_says_so(home: Path, source: Path, ask: Ask) -> None:
    source.unlink()
    status, _, err = ask("build")
    assert status == 2 and "There is no notebook source" in err


def test_run_shows_each_cell_the_verdicts_and_the_first_trouble(source: Path, ask: Ask, tmp_path: Path) -> None:
    source.write_text(source.read_text(encoding="utf-8").replace("print(len", "print(1 / 0, len"), encoding="utf-8")
    keep = tmp_path / "kept"
    status, out, _ = ask("run", "90", "--solution", "--fast", "--student", "ada", "--keep", str(keep), "--lang", "fr")
    assert status == 1
    assert "L90.M1  faux" in out
    last = out.splitlines()[-1]
    assert last.startswith("La cellule 15 (`print(1 / 0") and last.endswith("ZeroDivisionError : division by zero")
    executed = json.loads((keep / "90-door.ipynb").read_text(encoding="utf-8"))
    injected = [
        "".join(c["source"]) for c in executed["cells"] if "injected-parameters" in c["metadata"].get("tags", ())
    ]
    assert "seed = 0" not in injected[0] and 'lang = "fr"' in injected[0]
