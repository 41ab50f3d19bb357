"""What a requirements file asks for, read as data: pip is never run, no file is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_COMMENT = re.compile(r"(^|\s)#.*")
_INCLUDE = re.compile(r"(?:-r|--requirement)[ =]*(\S+)")
_EDITABLE = re.compile(r"(?:-e|--editable)\b")
_HASH = re.compile(r"\s--hash[= ]sha(?:256|384|512):[0-9a-f]{64,}")
_NAMED = re.compile(r"[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\])?\s*\(?(?P<versions>[=<>!~][^()]*)\)?\s*")
_EXACT = re.compile(r"\s*={2,3}\s*[^\s*]+\s*")


@dataclass(frozen=True)
class Requirement:
    """One line that asks for a package, continuation lines joined, comments left out."""

    line: int
    text: str

    @property
    def pinned(self) -> bool:
        """Whether only one version, or only known bytes, can satisfy it."""
        if _HASH.search(self.text):
            return True
        named = _NAMED.fullmatch(re.split(r"\s--|;", self.text, maxsplit=1)[0].strip())
        return named is not None and any(_EXACT.fullmatch(part) for part in named["versions"].split(","))


class UnreadInclude(Exception):
    """A line takes in a file whose text is not at hand, or that includes itself."""

    def __init__(self, line: int, path: str) -> None:
        super().__init__(path)
        self.line = line
        self.path = path


def requirements(texts: Mapping[str, str], name: str, above: tuple[str, ...] = ()) -> Iterator[Requirement]:
    """Every requirement of the file `name` among `texts`, those of included files too; options are left out."""
    for line, text in _logical_lines(texts[name]):
        include = _INCLUDE.match(text)
        if include:
            inner = include[1].removeprefix("./")
            if inner not in texts or inner in (*above, name):
                raise UnreadInclude(line, inner)
            yield from requirements(texts, inner, (*above, name))
        elif not text.startswith("-") or _EDITABLE.match(text):
            yield Requirement(line, text)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    waiting, first = "", 0
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        first = first if waiting else number
        line = _COMMENT.sub("", raw).rstrip()
        if line.endswith("\\"):
            waiting += line[:-1] + " "
            continue
        line, waiting = (waiting + line).strip(), ""
        if line:
            yield first, line
