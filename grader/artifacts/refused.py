"""Why a file is not taken, and how what a student named is shown."""

from __future__ import annotations

NAME_BYTES = 512
_SHOWN = 120

Value = str | int | float | None


class Refused(Exception):
    """The file breaks a rule: `problem` is its word, `facts` are plain data that a sentence may need."""

    def __init__(self, problem: str, **facts: Value) -> None:
        super().__init__(problem)
        self.problem = problem
        self.facts = facts


def shown(raw: bytes | str) -> str:
    """Foreign text on one line, escaped where it is not printable ASCII, cut to what fits in a sentence."""
    text = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    text = text[: _SHOWN + 1].encode("unicode_escape").decode("ascii")
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
