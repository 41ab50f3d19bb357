"""Checks and rubric that do not fit together are found by the author, not by a student."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import words
from grader.lab import load_lab
from grader.lint import lint_lab

LABS = Path(__file__).parent / "fixtures" / "labs"
PROBES = frozenset({"processes", "answers"})


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LABS / "90-tiny", tmp_path / "90-tiny"))


def _codes(lab: Path, probes: frozenset[str] = PROBES) -> list[str]:
    problems = lint_lab(load_lab(lab), probes)
    for problem in problems:
        assert "{" not in words.say(problem.code, "en", problem.facts), problem
        assert "{" not in words.say(problem.code, "fr", problem.facts), problem
    return [problem.code for problem in problems]


def _replace(file: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(lab: Path) -> None:
        text = (lab / file).read_text(encoding="utf-8")
        assert old in text
        (lab / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def test_a_sound_lab_has_no_problem(tiny: Path) -> None:
    assert _codes(tiny) == []


def test_an_unknown_probe_is_found(tiny: Path) -> None:
    assert _codes(tiny, frozenset({"processes"})) == ["lint_probe"]


def _second_check(lab: Path) -> None:
    with open(lab / "checks.py", "a", encoding="utf-8") as file:
        file.write('\n\n@check("build")\ndef again(evidence: Evidence) -> None:\n    pass\n')


def _helper(lab: Path) -> None:
    _replace("checks.py", 'raise Fail("root", process=process["name"])', "_refuse(process)")(lab)
    with open(lab / "checks.py", "a", encoding="utf-8") as file:
        file.write('\n\ndef _refuse(process):\n    raise Fail("rooot", process=process["name"])\n')


EDITS: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "an item without a check": (_replace("checks.py", '@check("nonroot")\n', ""), ["lint_no_check"]),
    "a check of no item": (
        _replace("checks.py", '@check("nonroot")', '@check("noroot")'),
        ["lint_no_check", "lint_no_item"],
    ),
    "two checks": (_second_check, ["lint_two_checks"]),
    "a cause without words": (_replace("checks.py", 'Fail("root"', 'Fail("roott"'), ["lint_no_words"]),
    "a cause without words in a helper": (_helper, ["lint_no_words"]),
    "a fact that is not given": (_replace("checks.py", "process=process", "name=process"), ["lint_no_fact"]),
    "other facts in French": (_replace("lab.toml", "{process} tourne", "{processus} tourne"), ["lint_placeholders"]),
    "a loss without hints": (_replace("lab.toml", "hints = {", "# {"), ["lint_no_hints"]),
    "a hidden item judged in public": (_replace("lab.toml", 'visibility = "hidden"\n', ""), ["lint_wrong_file"]),
    "points": (_replace("lab.toml", "points = 4", "points = 3"), ["lint_total"]),
    "a syntax error": (_replace("checks.py", "def build(", "def build(:"), ["lint_syntax"]),
    "no French page": (lambda lab: (lab / "README.fr.md").unlink(), ["lint_readme"]),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_does_not_fit_is_found_once(name: str, tiny: Path) -> None:
    edit, expected = EDITS[name]
    edit(tiny)
    assert _codes(tiny) == expected


def test_a_wrong_total_is_told_and_breaks_nothing(tiny: Path) -> None:
    _replace("lab.toml", "points = 4", "points = 3")(tiny)
    assert [problem.level for problem in lint_lab(load_lab(tiny), PROBES)] == ["note"]


def test_the_copy_of_a_student_is_sound_without_its_hidden_checks(tiny: Path) -> None:
    shutil.rmtree(tiny / "private")
    assert _codes(tiny) == []


def test_linting_runs_nothing_of_the_lab(tiny: Path) -> None:
    (tiny / "checks.py").write_text("open('ran', 'w')\n" + (tiny / "checks.py").read_text(encoding="utf-8"))
    _codes(tiny)
    assert not (tiny / "ran").exists() and not Path("ran").exists()
