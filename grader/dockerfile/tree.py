"""A Dockerfile after reading: frozen values, each with the student's own line number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Heredoc:
    """A text inside the Dockerfile; `expand` where its delimiter stands without quotes."""

    name: str
    body: str
    expand: bool
    chomp: bool


@dataclass(frozen=True)
class Instruction:
    """One instruction: `text` is all after the flags, `words` the same split as its kind splits it.

    `json` holds the strings of the JSON form; for ENV and ARG `words` are `name=value` with their quotes.
    """

    line: int
    keyword: str
    text: str
    flags: tuple[tuple[str, str], ...] = ()
    json: tuple[str, ...] | None = None
    words: tuple[str, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()

    def flag(self, name: str) -> str | None:
        return next((value for key, value in self.flags if key == name), None)


@dataclass(frozen=True)
class Parsed:
    """The instructions of one text, with the parser directives that count."""

    escape: str
    syntax: tuple[int, str] | None
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class Dockerfile:
    """A parsed Dockerfile and what its rules need to know of the files beside it."""

    path: str
    parsed: Parsed
    context: tuple[str, ...] = ()
    archives: frozenset[str] = frozenset()
