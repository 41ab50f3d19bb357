"""The notebooks of the course: built, sound, and running, in both languages, at more than one seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import words
from grader.notebooks.build import orphans, stale
from grader.notebooks.lint import lint, subject_of
from grader.notebooks.source import LANGS, list_sources, read_source
from grader.notebooks.versions import Version
from grader.records import Lang
from tests.notebooks.course import NAMES, NOTEBOOKS, ROOT, SEEDS, lab_of, ran, run_in, source_path
from tests.notebooks.validating import validate

# One solution a notebook is run in every `make test`, in these languages in turn; the rest are slow.
EACH = [(name, LANGS[at % 2]) for at, name in enumerate(NAMES)]
VERSIONS: tuple[Version, ...] = ("student", "solution")


def test_the_labs_that_are_notebooks_have_one() -> None:
    labs = {path.parent.name for path in ROOT.glob("labs/*/lab.toml") if 'kind = "notebook"' in path.read_text()}
    assert labs <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_as_its_source_says(name: str) -> None:
    assert stale(read_source(source_path(name)), NOTEBOOKS, "student") == [], "type: grader notebook build"


def test_every_notebook_has_a_source() -> None:
    assert orphans([read_source(path) for path in list_sources(NOTEBOOKS / "source")], NOTEBOOKS) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_keeps_the_rules(name: str) -> None:
    broken = lint(subject_of(source_path(name), ROOT, lab_of(name), NOTEBOOKS))
    assert [f"{one.rule} line {one.line}: {words.say(one.code, 'en', one.facts)}" for one in broken] == []


@pytest.mark.parametrize(("name", "lang"), EACH)
def test_a_solution_runs_fast(name: str, lang: Lang) -> None:
    assert ran(name, lang, "solution", 0).problem is None


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_each_version_runs_in_each_language_at_each_seed(name: str, version: Version, lang: Lang, seed: int) -> None:
    assert ran(name, lang, version, seed).problem is None


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_second_seed_keeps_the_conclusions(name: str) -> None:
    first, second = (ran(name, "en", "solution", seed).verdicts for seed in SEEDS)
    assert first == second
    assert len(first) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_stable_facts_come_out_the_same_again(name: str, tmp_path: Path) -> None:
    done = run_in(tmp_path / "run", name, "en", "solution", 0)
    assert done.problem is None
    validate(done.notebook)
