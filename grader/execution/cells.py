"""The cells that were handed in beside those of the executed copy: the evidence `cells`, a claim cell by cell."""

from __future__ import annotations

from collections.abc import Iterable

from grader.execution.reading import Row
from grader.records import Json

ADDED = frozenset(["injected-parameters", "papermill-error-cell-tag"])


def cell_rows(submitted: Iterable[Row], executed: Iterable[Row]) -> list[dict[str, Json]]:
    """One row for each submitted code cell, in order: {index, executed, in_order, error, tags, stopped}.

    A cell is found again by its source, at or after the one before it: what was replaced or left out did not run.
    """
    rest = [row for row in executed if not ADDED.intersection(row["tags"])]
    highest = 0
    rows: list[dict[str, Json]] = []
    for cell in submitted:
        place = next((place for place, row in enumerate(rest) if row["digest"] == cell["digest"]), None)
        found = rest[place] if place is not None else None
        count = found["count"] if found else None
        rows.append(
            {
                "index": cell["index"],
                "executed": count is not None,
                "in_order": count is not None and count > highest,
                "error": found["error"] if found else None,
                "tags": cell["tags"],
                "stopped": bool(found and found["failed"]),
            }
        )
        highest = max(highest, count or 0)
        if place is not None:
            del rest[: place + 1]
    return rows


def not_run(submitted: Iterable[Row]) -> list[dict[str, Json]]:
    """The rows where nothing ran, or no executed copy came back."""
    return cell_rows(submitted, ())
