"""A glossary page that lags behind, or a term that is explained twice, leaves a reader without the word."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from grader.errors import LabError
from grader.notebooks.glossary import Glossary, pages, read_glossary, stale_pages, write_pages
from grader.notebooks.source import LANGS

ROOT = Path(__file__).resolve().parents[2]
COURSE = ROOT / "notebooks" / "glossary.toml"


def test_the_pages_of_the_course_say_what_the_glossary_says() -> None:
    assert stale_pages(read_glossary(COURSE), ROOT) == [], "type: grader notebook build"


def test_no_term_is_explained_twice_and_none_is_known_and_explained() -> None:
    glossary = read_glossary(COURSE)
    assert len(glossary.entries) > 30
    for lang in LANGS:
        terms = [entry.term.in_(lang) for entry in glossary.entries]
        assert [term for term, count in Counter(terms).items() if count > 1] == []
        assert not glossary.known & set(terms)
        assert all(entry.text.in_(lang).endswith(".") for entry in glossary.entries)


def test_a_page_has_every_term_with_its_other_language(home: Path) -> None:
    glossary = read_glossary(home / "notebooks" / "glossary.toml")
    english, french = (content.decode() for content in pages(glossary, home).values())
    assert "| **API** | application programming interface | interface de programmation | What one" in english
    assert "| **API** | interface de programmation | application programming interface | Ce qu'un" in french


def test_pages_are_written_once(tmp_path: Path) -> None:
    glossary = read_glossary(COURSE)
    assert len(write_pages(glossary, tmp_path)) == 2
    assert write_pages(glossary, tmp_path) == []


def test_no_glossary_is_an_empty_one(tmp_path: Path) -> None:
    assert read_glossary(tmp_path / "glossary.toml") == Glossary()


@pytest.mark.parametrize(
    "text", ["[[term]\n", '[[term]]\nterm = "API"\n', '[[term]]\nterm = { en = "API", fr = "API" }\n', "term = 3\n"]
)
def test_a_glossary_that_cannot_be_read_says_where(tmp_path: Path, text: str) -> None:
    (tmp_path / "glossary.toml").write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match="nb_glossary"):
        read_glossary(tmp_path / "glossary.toml")
