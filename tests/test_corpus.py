"""A submission that gains what it did not earn, reaches what is not its own or leaves something behind; and honest work
that gets less than full marks because it looks odd. `python -m tests.corpus` runs cases with many seeds and has a list.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpus.gen import CASES
from tests.corpus.judging import outcome_faults
from tests.corpus.results import Results, table
from tests.corpus.runner import Session, run_case, session
from tests.corpus.undone import UNDONE
from tests.corpus.views import of_kind

OFTEN = ("PH07", "PH08", "PH09", "PH10", "PH11", "PH18", "PH20", "PV02", "PV06", "PV11", "PV14")
QUICK = ("link refusal", "escaping", "settings guard")
SEED = 1
engine = pytest.mark.engine


@pytest.fixture(scope="module")
def engine_session() -> Iterator[Session]:
    with session() as found:
        yield found


def cases() -> list[object]:
    """Group A and a few of the others at every run of the tests, the rest where there is time."""
    return [
        pytest.param(case, marks=[engine] if group == "A" or case in OFTEN else [engine, pytest.mark.slow])
        for case, group in CASES.items()
    ]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("case", cases())
def test_the_case_comes_to_its_verdict_and_leaves_nothing(case: str, engine_session: Session, tmp_path: Path) -> None:
    rows = list(run_case(engine_session, case, SEED))
    assert [row["faults"] for row in rows] == [[]] * len(rows), rows


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[engine] if name in QUICK else [engine, pytest.mark.slow]) for name in UNDONE]
)
def test_a_case_turns_red_without_the_defence(name: str, engine_session: Session) -> None:
    undone = UNDONE[name]
    (row,) = run_case(engine_session, undone.case, SEED, without=name)
    assert any(fault.startswith(undone.seen) for fault in row["faults"]), row


# --- the harness itself: it must be able to find a fault


ACTIVE = {
    "html": ["<p onclick=x>", "<script>", '<a href="x">', "<style>p { background: url(x) }</style>", "<!-- x -->"],
    "text": ["\x1b[2J", "\u202e", "\x07", "\r"],
    "junit": ['<!DOCTYPE x [<!ENTITY a "b">]><x/>'],
}


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, texts in ACTIVE.items() for text in texts])
def test_what_acts_in_a_view_is_seen(form: str, text: str) -> None:
    assert of_kind(form, text)


def test_what_is_only_shown_in_a_view_is_no_fault() -> None:
    assert of_kind("html", "<p class=x>&lt;script&gt; =HYPERLINK(1) \\u{202e}</p><style>p { color: red }</style>") == []


def test_a_missing_report_is_a_fault() -> None:
    assert outcome_faults({"expect": {}}, None)


def test_a_case_is_done_when_all_its_submissions_held(tmp_path: Path) -> None:
    results = Results(tmp_path / "rows.jsonl")
    row = {"case": "PH02", "seed": 1, "of": 2, "faults": [], "ok": True}
    results.add({**row, "submission": "a"})
    assert not results.done("PH02", 1)
    results.add({**row, "submission": "b", "ok": False})
    assert not results.done("PH02", 1)
    results.add({**row, "submission": "b"})
    assert results.done("PH02", 1)
    assert Results(tmp_path / "rows.jsonl").done("PH02", 1)
    assert table([]).count("\n") == 1
