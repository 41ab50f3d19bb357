"""The student's own log, in `.workbench.json`: what the last check left open, and which hints were told.

It is for the student alone: nobody collects it, and where it is torn it begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from workbench.errors import WorkbenchError
from workbench.files import LOCAL, Json, read, update
from workbench.findings import Finding
from workbench.session import Session

_MOST_USES = 1000


@dataclass(frozen=True)
class Open:
    """A fault that the last check found: its hints, and how many of them have been told."""

    item: str
    cause: str
    hints: tuple[str, ...]
    told: int = 0


def last(session: Session, exercise: str) -> list[Open] | None:
    """What the last check of the exercise left open, None where there was none."""
    entry = _log(session)["checks"].get(exercise)
    listed = entry.get("open") if isinstance(entry, dict) else None
    return [one for one in map(_read_open, listed) if one is not None] if isinstance(listed, list) else None


def remember(session: Session, exercise: str, findings: Sequence[Finding], digest: str) -> list[Open]:
    """Keeps what is open now. Each new attempt that ends in the same fault is told one hint more."""
    before = {(fault.item, fault.cause): fault.told for fault in last(session, exercise) or ()}
    entry = _log(session)["checks"].get(exercise)
    same = isinstance(entry, dict) and entry.get("digest") == digest
    faults = []
    for finding in (finding for finding in findings if finding.open):
        told = before.get((finding.item, finding.cause), 0)
        told = told if told and same else told + 1
        faults.append(Open(finding.item, finding.cause, finding.hints, min(told, len(finding.hints))))
    _write(session, exercise, digest, faults, faults)
    return faults


def tell_next(session: Session, exercise: str, faults: Sequence[Open]) -> Open | None:
    """The first fault that has a hint left, with that hint counted as told; the last one again where none is left."""
    fault = next((fault for fault in faults if fault.told < len(fault.hints)), None)
    if fault is None:
        return next((fault for fault in reversed(faults) if fault.hints), None)
    told = Open(fault.item, fault.cause, fault.hints, fault.told + 1)
    entry = _log(session)["checks"].get(exercise, {})
    _write(session, exercise, str(entry.get("digest")), [told if one is fault else one for one in faults], [told])
    return told


def _write(session: Session, exercise: str, digest: str, faults: Sequence[Open], used: Sequence[Open]) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    uses = [{"time": now, "exercise": exercise, "item": one.item, "hint": one.told} for one in used if one.told]

    def change(log: dict[str, Json]) -> None:
        log["checks"][exercise] = {"digest": digest, "open": [asdict(fault) for fault in faults]}
        earlier = log["log"].get("hints")
        log["log"]["hints"] = [*(earlier if isinstance(earlier, list) else []), *uses][-_MOST_USES:]

    _log(session)  # a torn one is out of the way now
    update(session, LOCAL, change)


def _log(session: Session) -> dict[str, Json]:
    try:
        return read(session, LOCAL)
    except WorkbenchError:
        (session.out_dir / LOCAL).unlink(missing_ok=True)
        return read(session, LOCAL)


def _read_open(entry: Any) -> Open | None:
    """The entry, None where somebody has edited it into something else."""
    if not isinstance(entry, dict) or not isinstance(entry.get("hints"), list):
        return None
    told = entry.get("told")
    hints = tuple(hint for hint in entry["hints"] if isinstance(hint, str))
    known = max(0, min(told, len(hints))) if isinstance(told, int) else 0
    return Open(str(entry.get("item")), str(entry.get("cause")), hints, known)
