"""What a figure of the page is made of: a picture, its sentence, and its data as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from markupsafe import Markup

from grader.errors import Fact
from grader.records import Evidence, Json


class Say(Protocol):
    """`say` with the language chosen: a code of `render.toml` without its prefix, and facts."""

    def __call__(self, code: str, **facts: Fact) -> str: ...


@dataclass(frozen=True)
class Figure:
    """One figure; without pictures, `caption` says why there is none."""

    name: str
    title: str
    caption: str
    pictures: tuple[Markup, ...] = ()
    note: str = ""
    headers: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def probe(evidence: Evidence | None, section: str, name: str) -> Json:
    """What one probe gathered, or None where it is missing."""
    return None if evidence is None else evidence.sections.get(section, {}).get(name)


def absent(name: str, title: str, evidence: Evidence | None, say: Say) -> Figure:
    """A figure without a picture, with the reason that the evidence gives."""
    build = probe(evidence, "build", "result")
    ready = probe(evidence, "normal", "ready")
    if evidence is None:
        reason = "absent_evidence"
    elif build is not None and not build.get("ok"):
        reason = "absent_build"
    elif ready is not None and not ready.get("ok"):
        reason = "absent_start"
    else:
        reason = "absent_probe"
    return Figure(name, title, say(reason))
