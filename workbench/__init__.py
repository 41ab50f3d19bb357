"""What a lab's notebook imports: forecasts, honest timings, checks and figures that everyone can read.

    import workbench as wb
    wb.begin(lab="02-onnx", out_dir=out_dir, lang=lang)

Every mistake is answered with one sentence in the notebook's language. Reference: docs/reference/workbench.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.session import current, open_session

if TYPE_CHECKING:
    from workbench.timing import Measurement

__all__ = [
    "WorkbenchError", "ask", "begin", "bet", "check", "figure", "hint", "measure", "myth", "note", "require",
]  # fmt: skip


def begin(
    *, lab: str, seed: int = 0, fast: bool = False, bets: str = "ask", out_dir: str | os.PathLike[str] = ".",
    lang: str = "en", n_repeats: int = 7, grader: Sequence[str] | None = None,
) -> None:  # fmt: skip
    """Say which lab this notebook is, and how it is run; the set-up cell's first line after the imports.

    `grader` is the command that checks are made with, where it is not this Python's own: `["grader"]`.
    """
    session = open_session(lab, seed, fast, bets, out_dir, lang, n_repeats, grader)
    _show_line(session.say("begun_" + bets, lab=session.lab))


def bet(id: str, value: Any = None, unit: Any = None, confidence: Any = None) -> None:
    """Lock a forecast, in `answers.json`, before anything is measured: a number, its unit, how sure (0 to 100)."""
    from workbench import bets

    _show(bets.place(current(), id, value, unit, confidence))


def require(id: str) -> None:
    """Stop here until the forecast `id` has been placed."""
    from workbench import bets

    bets.find(current(), id)


def measure(
    contenders: Mapping[str, Callable[[], object]], *, bet: str | None = None, id: str | None = None, batch: int = 1,
    n_repeats: int | None = None, warmup: int | None = None,
) -> Measurement:  # fmt: skip
    """Time the contenders in turn; gives a `Measurement` with `median`, `p95`, `ratio`, shown as a small table.

    Needs the forecast `bet`, where one is named. Raw samples go into `results.json` under `id`, else under `bet`.
    """
    from workbench import timing

    return timing.measure(current(), contenders, bet, id, batch, n_repeats, warmup)


def myth(
    id: str, sentence: Any = None, verdict: Any = None, condition: Any = None, measured: Any = None, *,
    unit: str = "", bet: str | None = None,
) -> None:  # fmt: skip
    """Show a sentence of the deck, what was forecast and measured, and the verdict: vrai, faux or ça dépend."""
    from workbench import myths

    _show(myths.myth(current(), id, sentence, verdict, condition, measured, unit, bet))


def figure(fig: Any, *, caption: Any = None, alt: Any = None, data: Any = None) -> None:
    """Show a figure with its caption, the text that stands for it, and its data as a small table."""
    from workbench import figures

    _show(figures.figure(current(), fig, caption, alt, data))


def note(key: str, value: Any) -> None:
    """Keep plain data in `results.json` under `key`."""
    from workbench import results

    results.note(current(), key, value)


def check(id: str, seconds: Any = 300) -> None:
    """Run the public checks of an exercise on your files: what was expected, what was found, the next hint."""
    from workbench import checking

    _show(checking.check(current(), id, seconds))


def hint(id: str) -> None:
    """Show the next hint of three on what the last check of the exercise found."""
    from workbench import checking

    _show(checking.hint(current(), id))


def ask(id: str, choices: Any = None, answer: Any = None, *, text: Any = None) -> None:
    """Ask a question; with an answer (a choice, or its number) keep it and say whether it is right."""
    from workbench import questions

    _show(questions.ask(current(), id, choices, answer, text))


def _show(card: Any) -> None:
    from workbench import cards

    cards.show(card)


def _show_line(text: str) -> None:
    from workbench.cards import Card, Line

    _show(Card("", (Line(text),), current().lang))
