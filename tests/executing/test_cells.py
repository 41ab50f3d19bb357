"""A cell that counts as run though it was not, or a failure told wrongly: from rows and sections made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from grader.checks import Fail, usable
from grader.execution.cells import cell_rows
from grader.outcomes import refusal
from grader.records import Section, Unmeasured


def row(index: int, digest: str, count: int | None = None, **more: Any) -> dict[str, Any]:
    return {"index": index, "digest": digest, "count": count, "error": None, "failed": False, "tags": []} | more


SUBMITTED = [row(0, "a"), row(2, "b"), row(3, "c")]


def told(*executed: dict[str, Any]) -> list[tuple[bool, bool]]:
    return [(one["executed"], one["in_order"]) for one in cell_rows(SUBMITTED, executed)]


YES, NO, LATE = (True, True), (False, False), (True, False)
COPIES = {
    "as handed in": ([row(0, "a", 1), row(2, "b", 2), row(3, "c", 3)], [YES, YES, YES]),
    "with what papermill adds": (
        [
            row(0, "m", tags=["papermill-error-cell-tag"]),
            row(1, "a", 1),
            row(2, "p", 2, tags=["injected-parameters"]),
            row(3, "b", 3),
            row(4, "c", 4),
        ],
        [YES, YES, YES],
    ),
    "cut short": ([row(0, "a", 1)], [YES, NO, NO]),
    "one cell replaced": ([row(0, "a", 1), row(2, "x", 2), row(3, "c", 3)], [YES, NO, YES]),
    "turned around": ([row(0, "c", 1), row(2, "b", 2), row(3, "a", 3)], [YES, NO, NO]),
    "counted backwards": ([row(0, "a", 3), row(2, "b", 2), row(3, "c", 1)], [YES, LATE, LATE]),
    "one count for all": ([row(0, "a", 1), row(2, "b", 1), row(3, "c", 1)], [YES, LATE, LATE]),
    "nothing": ([], [NO, NO, NO]),
}


@pytest.mark.parametrize(("executed", "expected"), COPIES.values(), ids=COPIES)
def test_a_cell_ran_where_its_own_source_stands_with_a_count(
    executed: list[dict[str, Any]], expected: list[tuple[bool, bool]]
) -> None:
    assert told(*executed) == expected


def test_two_equal_cells_are_two() -> None:
    twice = [row(0, "a"), row(1, "a")]
    assert [one["executed"] for one in cell_rows(twice, [row(0, "a", 1)])] == [True, False]


def cell(**more: Any) -> dict[str, Any]:
    return {"index": 4, "executed": True, "in_order": True, "error": None, "tags": [], "stopped": False} | more


def test_a_made_up_exception_carries_nothing_into_the_report() -> None:
    found = refusal({"cells": [cell(error="row_17_is_3_25_minus_1_5")]})
    assert found == ("cell_error", {"cell": 5, "error": "Exception"})
    assert refusal({"cells": [cell(error="KeyError")]}) == ("cell_error", {"cell": 5, "error": "KeyError"})
    assert refusal({"cells": [cell(error="print")]}) == ("cell_error", {"cell": 5, "error": "Exception"})


def test_an_announced_error_is_none() -> None:
    assert refusal({"cells": [cell(error="KeyError", tags=["raises-exception"])]}) is None


def test_a_run_of_a_model_is_judged_by_its_own_name() -> None:
    section = Section("model", {"file": {"problem": None}, "rows": {"problem": "load", "message": "no", "batches": []}})
    usable(section)
    with pytest.raises(Fail) as caught:
        usable(section, "rows")
    assert (caught.value.cause, caught.value.facts) == ("model_load", {"run": "rows", "message": "no"})


@pytest.mark.parametrize("run", [None, "rows"])
def test_what_was_not_measured_is_not_usable(run: str | None) -> None:
    with pytest.raises(Unmeasured):
        usable(Section("model", {}), run)
