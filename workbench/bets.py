"""Forecasts: placed before the measurement, locked, never judged for being right."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from workbench.cards import Card, Line
from workbench.files import ANSWERS, Json, read, update
from workbench.session import Session, is_blank, is_number, repr_short
from workbench.words import number

MOST_REMARKS = 20


def place(session: Session, bet_id: object, value: Any, unit: Any, confidence: Any) -> Card:
    """Locks the forecast in `answers.json` and says so. A later other value becomes a remark beside the first."""
    name = session.check_id(bet_id, "B")
    entry = _entry(session, name, value, unit, confidence)
    outcome = "bet_locked"
    kept = entry

    def change(answers: dict[str, Json]) -> None:
        nonlocal outcome, kept
        first = answers["bets"].get(name)
        if not is_placed(first):
            answers["bets"][name] = entry
            outcome = "bet_locked" if entry["value"] is not None else "bet_auto_blank"
            return
        kept = first
        said = {"value": entry["value"], "unit": entry["unit"]}
        if entry["value"] is None or said == {"value": first["value"], "unit": first.get("unit")}:
            outcome = "bet_again"
            return
        outcome = "bet_other"
        remarks = first.get("remarks")
        remarks = remarks if isinstance(remarks, list) else []
        first["remarks"] = [*remarks, {**said, "time": entry["time"]}][-MOST_REMARKS:]

    update(session, ANSWERS, change)
    text = session.say(outcome, bet=worded(session, kept), other=worded(session, entry))
    return Card(session.say("bet_title", id=name), (Line(text),), session.lang)


def find(session: Session, bet_id: object) -> dict[str, Json]:
    """The forecast as it is stored. Refuses where there is none yet; with `bets="auto"` an empty one will do."""
    name = session.check_id(bet_id, "B")
    entry = read(session, ANSWERS)["bets"].get(name)
    if not is_placed(entry) and not (session.bets == "auto" and isinstance(entry, dict)):
        session.refuse("bet_first", id=name)
    return dict(entry)


def is_placed(entry: Json) -> bool:
    """Whether what stands in `answers.json` is a forecast with a number."""
    return isinstance(entry, dict) and is_number(entry.get("value"))


def worded(session: Session, entry: dict[str, Json]) -> str:
    """`3 x (70 % sure)` in the notebook's language; a dash for an empty one."""
    if not is_placed(entry):
        return "-"
    text = f"{number(entry['value'], session.lang)} {entry.get('unit') or ''}".strip()
    sure = entry.get("confidence")
    return session.say("bet_sure", bet=text, sure=f"{sure:g}") if is_number(sure) else text


def _entry(session: Session, name: str, value: Any, unit: Any, confidence: Any) -> dict[str, Json]:
    if not (isinstance(unit, str) and unit.strip() and len(unit) <= 40):
        session.refuse("bet_unit", id=name, found=repr_short(unit))
    if is_blank(value) and session.bets == "ask":
        session.refuse("bet_blank", id=name)
    if not is_blank(value) and not is_number(value):
        session.refuse("bet_value", id=name, found=repr_short(value))
    if is_blank(confidence) and session.bets == "ask":
        session.refuse("bet_confidence_blank", id=name)
    if not is_blank(confidence) and not (is_number(confidence) and 0 <= confidence <= 100):
        session.refuse("bet_confidence", id=name, found=repr_short(confidence))
    return {
        "value": _plain(value),
        "unit": unit.strip(),
        "confidence": _plain(confidence),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _plain(value: Any) -> int | float | None:
    """The number as JSON writes it: numpy's become Python's."""
    if is_blank(value):
        return None
    return int(value) if hasattr(value, "__index__") else float(value)
