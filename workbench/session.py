"""What the set-up cell said, kept for the cells after it."""

from __future__ import annotations

import math
import operator
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Literal, NoReturn, cast

from workbench.errors import WorkbenchError
from workbench.words import LANGS, Fact, Lang, say

Bets = Literal["ask", "auto"]
LEAST_REPEATS = 5
_LAB = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ID = re.compile(r"L(\d\d|[A-Z])\.([A-Z])[1-9]\d?")


@dataclass(frozen=True)
class Session:
    """One notebook's lab, folder, language and habits."""

    lab: str
    seed: int
    fast: bool
    bets: Bets
    out_dir: Path
    lang: Lang
    n_repeats: int
    grader: tuple[str, ...] | None = None

    def say(self, code: str, **facts: Fact) -> str:
        """The sentence of `code` in the notebook's language."""
        return say(code, self.lang, **facts)

    def refuse(self, code: str, **facts: Fact) -> NoReturn:
        """Raises the sentence of `code` as `WorkbenchError`."""
        raise WorkbenchError(code, self.lang, **facts)

    def check_id(self, name: object, letter: str) -> str:
        """`name` where it is an id of this lab such as `L02.B1`, whose letter says what it is. Refuses others."""
        wanted = f"L{self._number()}.{letter}1"
        match = _ID.fullmatch(name) if isinstance(name, str) else None
        if match is None or match[2] != letter:
            self.refuse("bad_id", name=repr_short(name), example=wanted)
        if match[1] != self._number():
            self.refuse("other_lab_id", name=match[0], lab=self.lab, example=wanted)
        return match[0]

    def _number(self) -> str:
        """`02` of `02-onnx`; of a lab without a number, its last letter: `N` of `lab-n`."""
        number = self.lab.partition("-")[0]
        return number if re.fullmatch(r"\d\d", number) else self.lab[-1].upper()


_current: Session | None = None  # one kernel runs one notebook


def current() -> Session:
    """The session of this kernel. Refuses where the set-up cell has not been run."""
    if _current is None:
        raise WorkbenchError("not_begun")
    return _current


def open_session(
    lab: str, seed: int, fast: bool, bets: str, out_dir: str | os.PathLike[str], lang: str, n_repeats: int,
    grader: Sequence[str] | None,
) -> Session:  # fmt: skip
    """Checks what the set-up cell says and keeps it. Raises `WorkbenchError` naming the first thing that is wrong."""
    global _current
    known: Lang | None = lang if lang in LANGS else None

    def need(right: bool, code: str, **facts: Fact) -> None:
        if not right:
            raise WorkbenchError(code, known, **facts)

    if known is None:
        raise WorkbenchError("bad_lang", found=repr_short(lang))
    need(isinstance(lab, str) and _LAB.fullmatch(lab) is not None, "bad_lab", found=repr_short(lab))
    need(is_whole(seed) and seed >= 0, "bad_seed", found=repr_short(seed))
    need(isinstance(fast, bool), "bad_fast", found=repr_short(fast))
    need(bets in ("ask", "auto"), "bad_bets", found=repr_short(bets))
    need(is_whole(n_repeats) and n_repeats >= LEAST_REPEATS, "bad_repeats", found=repr_short(n_repeats),
         least=LEAST_REPEATS)  # fmt: skip
    need(isinstance(out_dir, str | os.PathLike), "bad_out_dir", found=repr_short(out_dir))
    folder = Path(out_dir).expanduser().absolute()
    need(folder.is_dir(), "no_out_dir", path=str(folder))
    need(os.access(folder, os.R_OK | os.W_OK | os.X_OK), "closed_out_dir", path=str(folder))
    command = tuple(map(str, grader)) if grader else None
    _current = Session(lab, int(seed), fast, cast(Bets, bets), folder, known, int(n_repeats), command)
    return _current


def close_session() -> None:
    """Forget the session: for tests."""
    global _current
    _current = None


def is_whole(value: Any) -> bool:
    """Whether `value` is a whole number, numpy's too, and not a truth value."""
    try:
        operator.index(value)
    except TypeError:
        return False
    return not isinstance(value, bool)


def is_blank(value: object) -> bool:
    """Whether a student has left a value open: None or three dots."""
    return value is None or value is ...


def is_number(value: Any) -> bool:
    """Whether `value` is a finite number, numpy's too, and not a truth value."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float reaches
        return False


def repr_short(value: object) -> str:
    """`value` as one would type it, at most 60 characters."""
    try:
        text = repr(value)
    except Exception:  # the student's own class may fail here; the sentence must not
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 60 else text[:57] + "..."
