"""Notes: plain data that a notebook found out, kept in `results.json` for the check and for the reader."""

from __future__ import annotations

import math
from typing import Any

from workbench.files import RESULTS, Json, update
from workbench.session import Session, repr_short

_DEPTH = 20


def note(session: Session, key: object, value: Any) -> None:
    """Keeps `value` under `key`; the last one stays. Refuses what JSON cannot hold, naming where it stands."""
    if not (isinstance(key, str) and key.strip() and len(key) <= 80):
        session.refuse("note_key", found=repr_short(key))
    plain = _plain(session, key, value, key, _DEPTH)
    update(session, RESULTS, lambda results: results["notes"].__setitem__(key, plain))


def _plain(session: Session, key: str, value: Any, where: str, depth: int) -> Json:
    """`value` as JSON holds it; numpy's numbers and arrays become Python's."""
    if depth == 0:
        session.refuse("note_deep", key=key)
    for convert in ("tolist", "item"):  # numpy's and torch's, without importing either
        if hasattr(value, convert) and not isinstance(value, type):
            return _plain(session, key, getattr(value, convert)(), where, depth - 1)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            session.refuse("note_not_finite", key=where, found=str(value))
        return float(value)
    if isinstance(value, list | tuple):
        return [_plain(session, key, one, f"{where}[{at}]", depth - 1) for at, one in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: _plain(session, key, one, f"{where}.{name}", depth - 1) for name, one in value.items()}
    session.refuse("note_type", key=where, found=type(value).__name__)
