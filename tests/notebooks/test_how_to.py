"""A how-to page whose sample does not run is copied all the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grader.lab import load_lab
from grader.lab_runs import student_files
from grader.notebooks.rules import RULES
from grader.notebooks.rules.words import TAGS
from grader.notebooks.running import Order, run_notebook
from grader.notebooks.source import KEYS, LANGS, read_source
from grader.notebooks.versions import Version
from grader.notebooks.versions import version_of as versions_of

PAGES = {
    lang: Path(__file__).resolve().parents[2] / "docs" / "how-to" / f"write-a-notebook{ending}.md"
    for lang, ending in (("en", ""), ("fr", ".fr"))
}


def _blocks(lang: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGES[lang].read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("version", ["solution", "student"])
def test_the_sample_is_built_and_runs(home: Path, source: Path, version: Version) -> None:
    source.write_text(_blocks("en")[0], encoding="utf-8")
    read = read_source(source)
    order = Order(read, "fr" if version == "student" else "en", version, True)
    ran = run_notebook(order, student_files(load_lab(home / "labs" / "90-door"), "en"), home.parent / "run", home)
    assert ran.problem is None
    assert len(ran.cells) == 6


def test_the_page_shows_what_the_stub_becomes(source: Path) -> None:
    source.write_text(_blocks("en")[0], encoding="utf-8")
    (stub,) = (cell for cell in versions_of(read_source(source), "student") if "exercise" in cell.tags)
    assert _blocks("en")[1].strip() == stub.code


def test_both_pages_show_the_same_code() -> None:
    assert _blocks("en") == _blocks("fr") != []


@pytest.mark.parametrize("lang", LANGS)
def test_a_page_knows_every_rule_tag_and_key(lang: str) -> None:
    text = PAGES[lang].read_text(encoding="utf-8")
    assert re.findall(r"^\| (R\d\d) \|", text, re.MULTILINE) == list(RULES)
    assert set(TAGS) <= set(re.findall(r"`([a-z0-9-]+)`", text))
    assert set(KEYS) <= set(re.findall(r"^\| `([a-z]+)=", text, re.MULTILINE))
