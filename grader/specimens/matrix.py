"""The values of a proof: what each specimen got, and where that differs from what its author expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from grader.records import Json, Lang, Outcome, Record
from grader.words import known, say

Kind = Literal["solution", "starter", "empty", "null", "mutant", "alternative"]
State = Literal["held", "broken", "unproved"]
How = Literal["ran", "reused", "rejudged"]


class Finding(Record):
    """One difference, as a code in `words` and its facts. `unproved`: trouble of ours, no breach of the law."""

    code: str
    facts: Mapping[str, Json] = Field(default_factory=dict)
    state: Literal["broken", "unproved"] = "broken"

    def told(self, lang: Lang) -> str:
        """The sentence of this finding."""
        facts = dict(self.facts)
        if "rule" in facts:
            return say(self.code, lang, {"message": say(facts["rule"], lang, facts)})
        facts |= {name: _named(facts[name], lang) for name in ("expected", "got") if name in facts}
        if facts.get("cause"):
            facts["got"] = f"{facts['got']} ({facts['cause']})"
        return say(self.code, lang, facts)


class Row(Record):
    """One specimen, graded."""

    name: str
    kind: Kind
    score: float | None
    outcomes: dict[str, Outcome]
    findings: tuple[Finding, ...]
    run: str
    how: How
    seconds: float

    @property
    def state(self) -> State:
        return worst(self.findings)

    @property
    def problems(self) -> tuple[str, ...]:
        """The findings in English, as a log keeps them."""
        return tuple(finding.told("en") for finding in self.findings)


class Matrix(Record):
    """The proof of a lab, whole or (with `only`) of some specimens. `gaps` are what no specimen proves."""

    lab: str
    lab_digest: str
    grader: str
    engine: str | None
    base: str
    only: str | None
    items: tuple[str, ...]
    rows: tuple[Row, ...]
    gaps: tuple[Finding, ...]
    seconds: float

    @property
    def state(self) -> State:
        return worst((*self.gaps, *(finding for row in self.rows for finding in row.findings)))

    @property
    def holds(self) -> bool:
        """Whether every specimen was assessed in full and got what is expected of it."""
        return self.state == "held"


@dataclass(frozen=True)
class Tick:
    """How far a proof has come: a specimen begins (`row` None) or ends."""

    number: int
    total: int
    name: str
    row: Row | None = None


def worst(findings: tuple[Finding, ...]) -> State:
    states = {finding.state for finding in findings}
    return "broken" if "broken" in states else "unproved" if states else "held"


def _named(value: Json, lang: Lang) -> Json:
    """Outcomes in the reader's words; anything else as it is."""
    if isinstance(value, list):
        return " / ".join(str(_named(entry, lang)) for entry in value)
    return say(f"outcome_{value}", lang, {}) if known(f"outcome_{value}") else value
