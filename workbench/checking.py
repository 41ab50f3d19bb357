"""The public checks of one exercise, from inside the notebook: what was expected, what was found, the next hint."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench import labs
from workbench.cards import Card, Line
from workbench.files import LOCAL, Json, read, update
from workbench.findings import Finding, Findings, NotAReport, read_report
from workbench.process import GRADER, Ended, call
from workbench.session import Session, is_number, repr_short

SECONDS = 300.0
_MARKS = {"passed": "✓", "partial": "◐", "failed": "✗", "blocked": "…", "skipped": "–", "error": "!"}
_MOST_LOG = 1000


def check(session: Session, exercise_id: object, seconds: Any = SECONDS) -> Card:
    """The card of one check; whatever goes wrong is one sentence on it. Never a grade, never a traceback."""
    name = session.check_id(exercise_id, "E")
    if not is_number(seconds) or seconds <= 0:
        session.refuse("check_seconds", found=repr_short(seconds))
    exercise = name.partition(".")[2]
    ended = call(_command(session, exercise), session.out_dir, _environ(session), float(seconds))
    trouble = _trouble(session, ended, name, float(seconds))
    if trouble:
        return _card(session, name, [Line(trouble)])
    try:
        found = read_report(ended.output)
    except NotAReport:
        return _card(session, name, [Line(_unread(session, ended))])
    if found.status != "graded" and found.refusal:
        return _card(session, name, [Line(session.say(_refused(found), message=found.refusal))])
    if not found.items:
        return _card(session, name, [Line(session.say("check_nothing", id=name, lab=session.lab))])
    hints = _remember(session, exercise, found)
    return _shown(session, name, found, hints)


def hint(session: Session, exercise_id: object) -> Card:
    """The next hint on what the last check found; checks first where none was made yet."""
    name = session.check_id(exercise_id, "E")
    exercise = name.partition(".")[2]
    open_items = [entry for entry in _last(session, exercise) if entry.get("hints")]
    if exercise not in read(session, LOCAL)["checks"]:
        return check(session, name)
    if not open_items:
        return _card(session, name, [Line(session.say("hint_none", id=name))])
    entry = open_items[0]
    told = min(_told(entry) + 1, len(entry["hints"]))
    _log(session, exercise, {entry["item"]: told})
    lines = [_hint_line(session, entry["hints"], told)]
    if told == len(entry["hints"]):
        lines.append(Line(session.say("hint_last")))
    return Card(session.say("hint_title", id=name, item=_title(session, entry["item"])), tuple(lines), session.lang)


def _command(session: Session, exercise: str) -> list[str]:
    asked = ["--engine", "local", "--exercise", exercise, "--format", "json", "--lang", session.lang]
    return [*(session.grader or GRADER), "run", session.lab, str(session.out_dir), *asked]


def _environ(session: Session) -> dict[str, str]:
    """Ours, and where the checkout is: a notebook may stand outside it."""
    home: Path | None = labs.find_home(session)
    found = {"GRADER_HOME": str(home)} if home else {}
    return {**os.environ, **found, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}


def _trouble(session: Session, ended: Ended, name: str, seconds: float) -> str:
    if ended.problem == "missing":
        return session.say("check_missing")
    if ended.problem == "timeout":
        return session.say("check_timeout", id=name, seconds=f"{seconds:g}")
    return ""


def _unread(session: Session, ended: Ended) -> str:
    """The grader's own sentence where it printed one, else ours; never a traceback."""
    lines = [line.strip() for line in ended.errors.splitlines() if line.strip()]
    if "Traceback (most recent call last)" in ended.errors or not lines:
        return session.say("check_broken", exit=ended.code)
    if "No module named" in lines[-1]:
        return session.say("check_missing")
    return session.say("check_refused", message=lines[-1][:600])


def _refused(found: Findings) -> str:
    return "check_ours" if found.status == "infra" else "check_refused"


def _remember(session: Session, exercise: str, found: Findings) -> dict[str, int]:
    """Keeps what is open, and how many hints of it have been told: one more for each new attempt at the same fault."""
    before = {(entry.get("item"), entry.get("cause")): entry for entry in _last(session, exercise)}
    digest = read(session, LOCAL)["checks"].get(exercise, {}).get("digest")
    kept, told = [], {}
    for finding in (finding for finding in found.items if finding.open):
        entry = before.get((finding.item, finding.cause), {})
        known = _told(entry) if entry else 0
        step = 0 if known and digest == found.digest else 1
        told[finding.item] = min(known + step, len(finding.hints))
        kept.append({"item": finding.item, "cause": finding.cause, "hints": list(finding.hints)})

    def change(local: dict[str, Json]) -> None:
        local["checks"][exercise] = {"digest": found.digest, "open": kept}

    update(session, LOCAL, change)
    _log(session, exercise, told)
    return told


def _log(session: Session, exercise: str, told: dict[str, int]) -> None:
    """Hints are recorded in the student's own folder, and nowhere else."""
    now = datetime.now(UTC).isoformat(timespec="seconds")

    def change(local: dict[str, Json]) -> None:
        for entry in local["checks"][exercise]["open"]:
            entry["told"] = told.get(entry["item"], _told(entry))
        uses = local["log"].setdefault("hints", [])
        uses += [{"time": now, "exercise": exercise, "item": item, "hint": step} for item, step in told.items() if step]
        del uses[:-_MOST_LOG]

    update(session, LOCAL, change)


def _last(session: Session, exercise: str) -> list[dict[str, Json]]:
    """What the last check of the exercise left open."""
    entry = read(session, LOCAL)["checks"].get(exercise)
    listed = entry.get("open") if isinstance(entry, dict) else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _told(entry: dict[str, Json]) -> int:
    told = entry.get("told", 0)
    return told if isinstance(told, int) and told >= 0 else 0


def _shown(session: Session, name: str, found: Findings, told: dict[str, int]) -> Card:
    lines: list[Line] = []
    for finding in found.items:
        lines += _item_lines(session, finding, told.get(finding.item, 0))
    if not any(finding.open or finding.outcome in ("skipped", "error") for finding in found.items):
        lines.append(Line(session.say("check_all_met")))
    return _card(session, name, lines)


def _item_lines(session: Session, finding: Finding, told: int) -> list[Line]:
    title = _title(session, finding.item)
    state = f"{_MARKS[finding.outcome]} {session.say(f'outcome_{finding.outcome}')}"
    if not finding.open:
        text = f"{title} ({finding.message})" if finding.message and finding.outcome != "passed" else title
        return [Line(text, f"{state} –")]
    lines = [
        Line("", state),
        Line(title, session.say("check_expected")),
        Line(finding.message or session.say("check_no_words"), session.say("check_found")),
    ]
    return lines + ([_hint_line(session, list(finding.hints), told)] if told else [])


def _hint_line(session: Session, hints: list[Any], step: int) -> Line:
    return Line(str(hints[step - 1]), session.say("hint_label", step=step, most=len(hints)))


def _title(session: Session, item: str) -> str:
    return labs.titles(session).get(item, item)


def _card(session: Session, name: str, lines: list[Line]) -> Card:
    return Card(session.say("check_title", id=name), tuple(lines), session.lang)
