"""The glossary: the acronyms and terms of the course in English and French, and the pages made from them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from grader.durable import write_whole
from grader.errors import LabError
from grader.notebooks.source import LANGS
from grader.records import Lang, Record, Text

PAGES: Mapping[Lang, str] = {"en": "docs/reference/glossary.md", "fr": "docs/reference/glossary.fr.md"}
_HEAD: Mapping[Lang, str] = {
    "en": "# Glossary\n\nThe words of the course. Made by `grader notebook build` from `notebooks/glossary.toml`.\n"
    "([En français](glossary.fr.md).)\n\n| term | in full | in French | meaning |\n| --- | --- | --- | --- |\n",
    "fr": "# Glossaire\n\nLes mots du cours. Fait par `grader notebook build` à partir de `notebooks/glossary.toml`.\n"
    "([In English](glossary.md).)\n\n| terme | en toutes lettres | en anglais | sens |\n| --- | --- | --- | --- |\n",
}


class Entry(Record):
    """One term. `long` is what an acronym stands for."""

    term: Text
    text: Text
    long: Text | None = None


@dataclass(frozen=True)
class Glossary:
    """All terms, and the acronyms that this audience knows (HTTP, JSON), which need neither words nor a first time."""

    entries: tuple[Entry, ...] = ()
    known: frozenset[str] = field(default_factory=frozenset)

    def acronym(self, short: str, lang: Lang) -> Entry | None:
        """The entry of an acronym, as it is called in one language."""
        return next((entry for entry in self.entries if entry.long and entry.term.in_(lang) == short), None)


def read_glossary(path: Path) -> Glossary:
    """The glossary in `path`, an empty one where there is no such file. Raises `LabError`."""
    if not path.is_file():
        return Glossary()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = tuple(Entry.model_validate(entry) for entry in data.get("term", ()))
        return Glossary(entries, frozenset(data.get("known", ())))
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise LabError("nb_glossary", path=str(path), problem=problem) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise LabError("nb_glossary", path=str(path), problem=str(error)) from error


def pages(glossary: Glossary, home: Path) -> dict[Path, bytes]:
    """What the page of each language says, by its path."""
    return {home / PAGES[lang]: (_HEAD[lang] + _rows(glossary, lang)).encode() for lang in LANGS}


def stale_pages(glossary: Glossary, home: Path) -> list[Path]:
    """The pages that are absent or say something else than the glossary."""
    found = pages(glossary, home)
    return [path for path, content in found.items() if not path.is_file() or path.read_bytes() != content]


def write_pages(glossary: Glossary, home: Path) -> list[Path]:
    """Write the pages; those that were not so already."""
    changed = stale_pages(glossary, home)
    for path in changed:
        write_whole(path, pages(glossary, home)[path])
    return changed


def _rows(glossary: Glossary, lang: Lang) -> str:
    other: Lang = "fr" if lang == "en" else "en"
    lines = []
    for entry in sorted(glossary.entries, key=lambda entry: entry.term.in_(lang).casefold()):
        long = entry.long.in_(lang) if entry.long else ""
        there = entry.term.in_(other)
        if entry.long and there == entry.term.in_(lang):
            there = entry.long.in_(other)
        lines.append(f"| **{entry.term.in_(lang)}** | {long} | {there} | {entry.text.in_(lang)} |\n")
    return "".join(lines)
