"""A sentence of the deck put to the test: sentence, bet, measurement, verdict, condition, always in this order."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from workbench import bets
from workbench.cards import Card, Image, Line, Table
from workbench.files import ANSWERS, RESULTS, read, update
from workbench.session import Session, is_blank, is_number, repr_short
from workbench.timing import Measurement
from workbench.words import number

VERDICTS = {"vrai": "verdict_true", "faux": "verdict_false", "ça dépend": "verdict_depends"}


def myth(
    session: Session,
    myth_id: object,
    sentence: Any,
    verdict: Any,
    condition: Any,
    measured: Any,
    unit: str,
    bet: object,
) -> Card:
    """The card of one sentence; the verdict is kept in `results.json` under the id, unless it is still open."""
    name = session.check_id(myth_id, "M")
    if not (isinstance(sentence, str) and sentence.strip()):
        session.refuse("myth_sentence", id=name)
    given = _verdict(session, name, verdict)
    why = _condition(session, name, condition)
    figures = _measured(session, name, measured, unit)
    forecast = _forecast(session, measured, bet)
    blocks: list[Line | Table | Image] = [Line(sentence, session.say("myth_sentence_label"), lang="fr")]
    blocks += [Line(forecast, session.say("myth_bet_label"))] if forecast else []
    blocks.append(figures)
    if given is None:
        blocks.append(Line(session.say("myth_open", verdicts=" | ".join(VERDICTS))))
        return Card(session.say("myth_title", id=name), tuple(blocks), session.lang)
    blocks.append(Line(session.say(VERDICTS[given]), session.say("myth_verdict_label")))
    blocks += [Line(why, session.say("myth_condition_label"))] if why else []
    kept = {"verdict": given, "measured": measured.id if isinstance(measured, Measurement) else _number(measured)}
    update(session, RESULTS, lambda results: results["notes"].__setitem__(name, kept))
    return Card(session.say("myth_title", id=name), tuple(blocks), session.lang)


def _verdict(session: Session, name: str, verdict: Any) -> str | None:
    if is_blank(verdict):
        return None
    if not isinstance(verdict, str) or verdict not in VERDICTS:
        near = difflib.get_close_matches(str(verdict).lower(), VERDICTS, n=1, cutoff=0.5)
        session.refuse("myth_verdict", id=name, found=repr_short(verdict), verdicts=" | ".join(near or VERDICTS))
    return verdict


def _condition(session: Session, name: str, condition: Any) -> str:
    if is_blank(condition):
        return ""
    text = condition.get(session.lang) if isinstance(condition, Mapping) else None
    if not isinstance(text, str):
        session.refuse("myth_condition", id=name)
    return text


def _measured(session: Session, name: str, measured: Any, unit: str) -> Line | Table:
    if isinstance(measured, Measurement):
        return measured.table()
    if is_number(measured):
        return Line(f"{number(float(measured), session.lang)} {unit}".strip(), session.say("myth_measured_label"))
    session.refuse("myth_measured", id=name, found=repr_short(measured))


def _forecast(session: Session, measured: Any, bet: object) -> str:
    if bet is not None:
        return bets.worded(session, bets.find(session, bet))
    if not isinstance(measured, Measurement):
        return ""
    entry = read(session, ANSWERS)["bets"].get(measured.id)
    return bets.worded(session, entry) if bets.is_placed(entry) else ""


def _number(measured: Any) -> float:
    return float(measured)
