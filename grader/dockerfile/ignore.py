"""Which files an ignore file lets through to the builder."""

from __future__ import annotations

import posixpath
import re
import time
from collections.abc import Iterable

from grader.dockerfile.globs import BadPattern, SlowPattern, compile_glob
from grader.errors import SubmissionError, Unsupported

PATTERNS = 500
_SECONDS = 10.0


def kept(text: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Give the paths that are sent: the last pattern that matches a path, or a folder above it, decides."""
    rules = _rules(text)
    known: dict[tuple[int, str], bool] = {}
    stop = time.monotonic() + _SECONDS
    return tuple(path for path in paths if not _ignored(path, rules, known, stop))


def _ignored(
    path: str, rules: list[tuple[bool, re.Pattern[str]]], known: dict[tuple[int, str], bool], stop: float
) -> bool:
    if time.monotonic() > stop:
        raise SubmissionError("ignore_slow")
    parts = path.split("/")
    folders = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    ignored = False
    for number, (again, pattern) in enumerate(rules):
        if again != ignored:
            continue
        if pattern.fullmatch(path) or any(_matches(number, pattern, folder, known) for folder in folders):
            ignored = not again
    return ignored


def _matches(number: int, pattern: re.Pattern[str], folder: str, known: dict[tuple[int, str], bool]) -> bool:
    key = (number, folder)
    if key not in known:
        known[key] = pattern.fullmatch(folder) is not None
    return known[key]


def _rules(text: str) -> list[tuple[bool, re.Pattern[str]]]:
    """Give each pattern, and whether it takes back what an earlier one ignored."""
    rules = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.strip()
        if raw.startswith("#") or not line:
            continue
        again = line.startswith("!")
        pattern = line[1:].strip() if again else line
        if not pattern:
            raise SubmissionError("ignore_syntax", line=number, text=line[:200])
        pattern = posixpath.normpath(pattern).lstrip("/")
        try:
            rules.append((again, compile_glob(pattern)))
        except BadPattern:
            raise SubmissionError("ignore_syntax", line=number, text=line[:200]) from None
        except SlowPattern:
            raise Unsupported("ignore_unreadable", line=number, text=line[:200]) from None
        if len(rules) > PATTERNS:
            raise SubmissionError("ignore_size", limit=PATTERNS)
    return rules
