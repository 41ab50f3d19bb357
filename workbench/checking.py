"""The public checks of one exercise, from inside the notebook: what was expected, what was found, the next hint."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench import attempts, labs
from workbench.cards import Card, Line
from workbench.findings import Finding, Findings, NotAReport, read_report
from workbench.process import GRADER, Ended, call
from workbench.session import Session, is_number, repr_short

SECONDS = 300.0
_INSIDE = "GRADER_WORKROOM"  # set by the grader for what it runs
_COLOURS = ("FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR")
_MARKS = {"passed": "✓", "partial": "◐", "failed": "✗", "blocked": "…", "skipped": "–", "error": "!"}


def check(session: Session, exercise_id: object, seconds: Any = SECONDS) -> Card:
    """The card of one check; whatever goes wrong is one sentence on it. Never a grade, never a traceback."""
    name = session.check_id(exercise_id, "E")
    if not is_number(seconds) or seconds <= 0:
        session.refuse("check_seconds", found=repr_short(seconds))
    if _INSIDE in os.environ:  # else notebook and grader would start each other without end
        return _card(session, name, [Line(session.say("check_inside"))])
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
    return _shown(session, name, found, attempts.remember(session, exercise, found.items, found.digest))


def hint(session: Session, exercise_id: object) -> Card:
    """The next hint on what the last check found; checks first where none was made yet."""
    name = session.check_id(exercise_id, "E")
    exercise = name.partition(".")[2]
    faults = attempts.last(session, exercise)
    if faults is None:
        return check(session, name)
    fault = attempts.tell_next(session, exercise, faults)
    if fault is None:
        return _card(session, name, [Line(session.say("hint_none", id=name))])
    lines = [_hint_line(session, fault)]
    if all(one.told == len(one.hints) for one in attempts.last(session, exercise) or ()):
        lines.append(Line(session.say("hint_last")))
    return Card(session.say("hint_title", id=name, item=_title(session, fault.item)), tuple(lines), session.lang)


def _command(session: Session, exercise: str) -> list[str]:
    asked = ["--engine", "local", "--exercise", exercise, "--format", "json", "--lang", session.lang]
    return [*(session.grader or GRADER), "run", session.lab, str(session.out_dir), *asked]


def _environ(session: Session) -> dict[str, str]:
    """Ours, and where the checkout is: a notebook may stand outside it. Kernels ask for colours; we read text."""
    home: Path | None = labs.find_home(session)
    found = {"GRADER_HOME": str(home)} if home else {}
    kept = {name: value for name, value in os.environ.items() if name not in _COLOURS}
    return {**kept, **found, "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}


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


def _shown(session: Session, name: str, found: Findings, faults: Sequence[attempts.Open]) -> Card:
    told = {fault.item: fault for fault in faults}
    lines: list[Line] = []
    for finding in found.items:
        lines += _item_lines(session, finding, told.get(finding.item))
    if all(finding.outcome == "passed" for finding in found.items):
        lines.append(Line(session.say("check_all_met")))
    return _card(session, name, lines)


def _item_lines(session: Session, finding: Finding, fault: attempts.Open | None) -> list[Line]:
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
    return [*lines, _hint_line(session, fault)] if fault and fault.told else lines


def _hint_line(session: Session, fault: attempts.Open) -> Line:
    return Line(fault.hints[fault.told - 1], session.say("hint_label", step=fault.told, most=len(fault.hints)))


def _title(session: Session, item: str) -> str:
    return labs.titles(session).get(item, item)


def _card(session: Session, name: str, lines: list[Line]) -> Card:
    return Card(session.say("check_title", id=name), tuple(lines), session.lang)
