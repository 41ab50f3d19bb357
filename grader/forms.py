"""What students fill in: forecasts (`answers.json`, by hand or from a notebook) and a run book (`RUN.md`)."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from grader.claims import is_number, parsed

_NOTEBOOK_ID = re.compile(r"L\d\d\.B[1-9]\d?")


def forecast_fault(text: str, lab: str, names: Collection[str]) -> str | None:
    """The first field of an `answers.json` that is missing, foreign or empty, None where the form is complete.

    The form: {"lab": id, "bets": {name: number above 0}, "reasons": {name: sentence}}, exactly `names` in both. What
    the lab's notebook keeps in the same file stands beside: its bets by their ids (`L05.B1`), and `questions`.
    """
    form = parsed(text)
    if form is None:
        return "JSON"
    if not isinstance(form, dict) or set(form) - {"questions"} != {"lab", "bets", "reasons"}:
        return "lab, bets, reasons"
    if form["lab"] != lab:
        return "lab"
    for part, complete in (("bets", _is_positive), ("reasons", _is_sentence)):
        table = form[part]
        if not isinstance(table, dict) or {name for name in table if not _NOTEBOOK_ID.fullmatch(name)} != set(names):
            return part
        for name in names:
            if not complete(table[name]):
                return f"{part}.{name}"
    return None


def bets_fault(text: str, lab: str, bets: Collection[str], questions: Collection[str] = ()) -> str | None:
    """The first field of a notebook's `answers.json` that is missing or empty, None where nothing asked for is.

    The form, as `workbench` writes it: {"lab": id, "bets": {id: {"value": number, "unit": text, "confidence": 0..100}},
    "questions": {id: {"answer": text}}}. More entries than those asked for do no harm.
    """
    form = parsed(text)
    if form is None:
        return "JSON"
    if not isinstance(form, dict) or form.get("lab") != lab:
        return "lab"
    for part, names, complete in (("bets", bets, _is_bet), ("questions", questions, _is_answer)):
        table = form.get(part) if names else {}
        if not isinstance(table, dict):
            return part
        for name in names:
            if not complete(table.get(name)):
                return f"{part}.{name}"
    return None


def headings_with_commands(text: str) -> frozenset[str]:
    """The headings of a Markdown text, in lower case, that have a code block or inline code below them."""
    heading, fenced, found = "", False, set()
    for line in text.splitlines():
        title = re.match(r"#{1,6}\s+(.*)", line)
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif title and not fenced:  # a shell comment is no heading
            heading = title[1].lower()
        elif line.strip() and (fenced or line.startswith(("    ", "\t")) or re.search(r"`[^`]+`", line)):
            found.add(heading)
    return frozenset(found)


def _is_positive(value: Any) -> bool:
    return is_number(value) and value > 0


def _is_sentence(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= 15 and re.search(r"\S.*\S", value) is not None


def _is_bet(entry: Any) -> bool:
    if not isinstance(entry, dict) or not (isinstance(entry.get("unit"), str) and entry["unit"].strip()):
        return False
    sure: Any = entry.get("confidence")
    return is_number(entry.get("value")) and is_number(sure) and 0 <= sure <= 100


def _is_answer(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("answer"), str) and bool(entry["answer"].strip())
