"""What a notebook breaks of the rules: rule by rule, and where."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.errors import Fact
from grader.notebooks.glossary import read_glossary
from grader.notebooks.rules import RULES
from grader.notebooks.source import read_source
from grader.notebooks.subject import Finding, Subject
from grader.records import Lab, Lang


@dataclass(frozen=True)
class Broken:
    """One break of a rule as a reader needs it: which rule, where, and the words that say what to do."""

    rule: str
    code: str
    facts: dict[str, Fact]
    cell: int | None  # from 1, as the solution version is numbered
    line: int | None  # in the source
    first: str  # line of the cell
    lang: Lang | None


def subject_of(path: Path, home: Path, lab: Lab | None, folder: Path | None) -> Subject:
    """The notebook whose source is `path`, of a checkout `home`. Raises `LabError` where it cannot be read."""
    return Subject(read_source(path), read_glossary(home / "notebooks" / "glossary.toml"), lab, folder)


def lint(subject: Subject, only: Collection[str] = ()) -> tuple[Broken, ...]:
    """Every break of the rules (`only` these, where some are named), in the order of rules and cells."""
    return tuple(
        _placed(subject, rule, finding)
        for rule, look in RULES.items()
        if not only or rule in only
        for finding in _looked(look(subject))
    )


def _looked(findings: Iterator[Finding]) -> list[Finding]:
    found = list(findings)
    return sorted(found, key=lambda finding: finding.cell.line if finding.cell else 0)


def _placed(subject: Subject, rule: str, finding: Finding) -> Broken:
    cell = finding.cell
    if cell is None:
        return Broken(rule, finding.code, finding.facts, None, None, "", finding.lang)
    number = 1 + [one.line for one in subject.source.cells].index(cell.line)
    first = next((line for line in cell.texts[finding.lang or "en"].splitlines() if line.strip()), "")
    return Broken(rule, finding.code, finding.facts, number, cell.line, first[:60], finding.lang)
