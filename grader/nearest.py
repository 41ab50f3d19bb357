"""The name that somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near_miss(name: str, names: Iterable[str]) -> str:
    """The names closest to `name` (a lab's number aside), or all of them where none is; "-" where there are none."""
    known = {full: full.partition("-")[2] or full for full in sorted(names)}
    close = difflib.get_close_matches(name, known, n=3)
    tails = difflib.get_close_matches(name, known.values(), n=3)
    return ", ".join(close or [full for full in known if known[full] in tails] or known) or "-"
