"""A rule that nothing can break protects nothing: each is broken here, alone, by one small edit of a sound notebook."""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from grader import words
from grader.lab import load_lab
from grader.notebooks import rules
from grader.notebooks.build import build
from grader.notebooks.lint import Broken, lint, subject_of
from grader.notebooks.rules import RULES
from grader.notebooks.source import read_source

HERE = Path(__file__).parent
RULE_FILES = sorted(Path(rules.__file__).parent.glob("*.py"))


def _lint(home: Path, *, rebuild: bool = True) -> tuple[Broken, ...]:
    source = home / "notebooks" / "source" / "90-door.py"
    if rebuild:
        build(read_source(source), home / "notebooks", "student")
    return lint(subject_of(source, home, load_lab(home / "labs" / "90-door"), home / "notebooks"))


@dataclass(frozen=True)
class Mutant:
    """One edit of the sound notebook, and what it must be found by."""

    breaks: str
    edits: list[list[str]]
    also: list[str] = field(default_factory=list)
    file: str = "notebooks/source/90-door.py"
    rebuild: bool = True
    many: list[Any] = field(default_factory=list)  # a count and a text: what `MANY` in an edit stands for

    @property
    def rule(self) -> str:
        return self.breaks[3:6].upper()

    def apply(self, home: Path) -> None:
        path = home / self.file
        text = path.read_text(encoding="utf-8")
        for old, new in self.edits:
            assert old in text, f"the sample has changed: {old!r}"
            text = text.replace(old, new.replace("MANY", self.many[1] * self.many[0]) if self.many else new, 1)
        path.write_text(text, encoding="utf-8")


MUTANTS = [Mutant(**entry) for entry in tomllib.loads((HERE / "mutants.toml").read_text(encoding="utf-8"))["mutant"]]


def _codes(path: Path) -> set[str]:
    """The codes that the rules can give, read off their files."""
    return set(re.findall(r'"(nb_r\d\d_\w+)"', path.read_text(encoding="utf-8")))


def _say(broken: tuple[Broken, ...]) -> None:
    for one in broken:
        for lang in ("en", "fr"):
            sentence = words.say(one.code, lang, one.facts)
            assert sentence != one.code
            assert not set(re.findall(r"\{([a-z]+)\}", words.template(one.code, lang))) - set(one.facts)
        assert one.cell is None or (one.line and one.first)


def test_the_sound_notebook_breaks_nothing(home: Path) -> None:
    assert _lint(home, rebuild=False) == ()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.breaks)
def test_a_mutant_breaks_exactly_its_rule(home: Path, mutant: Mutant) -> None:
    mutant.apply(home)
    broken = _lint(home, rebuild=mutant.rebuild)
    assert {one.rule for one in broken} == {mutant.rule, *mutant.also}, broken
    assert mutant.breaks in {one.code for one in broken}
    _say(broken)


def test_every_break_that_a_rule_knows_is_made_here() -> None:
    known = set().union(*(_codes(path) for path in RULE_FILES))
    assert known == {mutant.breaks for mutant in MUTANTS}
    assert {mutant.rule for mutant in MUTANTS if not mutant.also} == set(RULES), "each rule is broken alone"


def test_a_finding_says_where_it_is(home: Path, source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    source.write_text(f"{text}assert parcels\n", encoding="utf-8")
    (broken,) = _lint(home)
    assert (broken.rule, broken.cell) == ("R12", 15)
    assert broken.first == 'print(len(parcels), "parcels, each with", sorted(parcels[0]))'[:60]
    assert text.splitlines()[(broken.line or 0) - 1].startswith("# %%")


def test_rules_are_small() -> None:
    for path in RULE_FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 45, f"{path.name}: {node.name}"
