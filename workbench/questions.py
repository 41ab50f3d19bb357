"""Reading cards: a question with choices, answered in the notebook, said to be right or not in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from workbench import labs
from workbench.cards import Card, Line, Table
from workbench.files import ANSWERS, update
from workbench.session import Session, is_blank, is_whole, repr_short


def ask(session: Session, question_id: object, choices: Any, answer: Any, text: Any) -> Card:
    """Keeps the answer in `answers.json` and says whether it is right; without one, lists the choices.

    `answer` is a choice or its number from 1. The right one stands in the lab's `questions.toml`.
    """
    name = session.check_id(question_id, "Q")
    options = _choices(session, name, choices)
    title = text.get(session.lang) if isinstance(text, Mapping) else text
    title = title if isinstance(title, str) and title else session.say("ask_title", id=name)
    if is_blank(answer):
        rows = [[str(number), option] for number, option in enumerate(options, 1)]
        header = [session.say("ask_number"), session.say("ask_choice")]
        return Card(title, (Table(header, rows), Line(session.say("ask_open", most=len(options)))), session.lang)
    chosen = _chosen(session, name, options, answer)
    entry = {
        "answer": chosen,
        "choice": options.index(chosen) + 1,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    update(session, ANSWERS, lambda answers: answers["questions"].__setitem__(name, entry))
    return Card(title, (Line(_judged(session, name, options, chosen)),), session.lang)


def _judged(session: Session, name: str, options: list[str], chosen: str) -> str:
    known = labs.question(session, name)
    because = known.get("because")
    because = because.get(session.lang) if isinstance(because, dict) else None
    right = _right(known.get("right"), options)
    if right is None:
        return session.say("ask_kept", answer=chosen)
    code = "ask_right" if chosen == right else "ask_wrong"
    return session.say(code, answer=chosen, because=because or "").rstrip()


def _right(given: Any, options: list[str]) -> str | None:
    """The right choice where the lab names one of these, by its number or its text."""
    if is_whole(given) and 1 <= given <= len(options):
        return options[int(given) - 1]
    return next((option for option in options if option == given), None)


def _choices(session: Session, name: str, choices: Any) -> list[str]:
    if isinstance(choices, Mapping):  # the same choices in each language
        choices = choices.get(session.lang)
    if not isinstance(choices, list | tuple) or len(choices) < 2:
        session.refuse("ask_choices", id=name)
    options = [str(choice) for choice in choices]
    if len(set(options)) < len(options):
        session.refuse("ask_choices", id=name)
    return options


def _chosen(session: Session, name: str, options: list[str], answer: Any) -> str:
    if is_whole(answer) and 1 <= answer <= len(options):
        return options[int(answer) - 1]
    if isinstance(answer, str):
        same = [option for option in options if option.strip().casefold() == answer.strip().casefold()]
        if same:
            return same[0]
    session.refuse("ask_answer", id=name, found=repr_short(answer), most=len(options))
