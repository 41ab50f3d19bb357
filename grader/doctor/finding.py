"""One line of the doctor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from grader.doctor.advisories import Advisory
from grader.errors import Fact

# `unknown`: not tested here, neither good nor bad news.
State = Literal["holds", "warning", "fails", "unknown"]


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it stands, and the codes of two sentences: what it is, and what to type.

    `do` is None where nothing is to be done, and where `what` is the sentence of an error, which says it itself.
    """

    id: str
    state: State
    what: str
    do: str | None = None
    facts: dict[str, Fact] = field(default_factory=dict)
    advisories: tuple[Advisory, ...] = ()
