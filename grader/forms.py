"""The two texts that students fill in: forecasts (`answers.json`) and a run book (`RUN.md`)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from typing import Any


def forecast_fault(text: str, lab: str, names: Collection[str]) -> str | None:
    """The first field of an `answers.json` that is missing, foreign or empty, None where the form is complete.

    The form: {"lab": id, "bets": {name: number above 0}, "reasons": {name: sentence}}, exactly `names` in both.
    """
    try:
        form = json.loads(text)
    except (ValueError, RecursionError):
        return "JSON"
    if not isinstance(form, dict) or set(form) != {"lab", "bets", "reasons"}:
        return "lab, bets, reasons"
    if form["lab"] != lab:
        return "lab"
    for part, complete in (("bets", _is_positive), ("reasons", _is_sentence)):
        table = form[part]
        if not isinstance(table, dict) or set(table) != set(names):
            return part
        for name in names:
            if not complete(table[name]):
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
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _is_sentence(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= 15 and re.search(r"\S.*\S", value) is not None
