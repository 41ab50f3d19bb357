"""The terminal view: what to fix is found, and a student's bytes are letters and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grader.records import Lang, Rejection
from grader.render.text import render_text

from . import factory
from .test_inert import active

LAB = factory.lab()
RUN = Path("runs/05-docker/2026-02-03-7f3a")


def test_a_lost_item_has_its_cause_and_one_next_step() -> None:
    text = " ".join(render_text(factory.report(), LAB, "en", run=RUN).split())
    assert "15 / 20 provisional" in text
    assert "The process uvicorn (pid 7) runs with uid 0" in text
    assert "NEXT Who starts the server" in text
    assert "useradd" not in text
    assert "(2 more with -v)" in text


def test_verbose_shows_every_hint() -> None:
    text = " ".join(render_text(factory.report(), LAB, "en", verbose=True).split())
    assert "Hint 3 Near the end of the Dockerfile: `RUN useradd" in text
    assert "more with -v" not in text


def test_it_says_where_the_page_is_and_how_to_read_again() -> None:
    text = render_text(factory.report(), LAB, "fr", run=RUN)
    assert "runs/05-docker/2026-02-03-7f3a/report.html" in text
    assert "grader show 2026-02-03-7f3a --lang en" in text
    assert render_text(factory.report(), LAB, "fr").count("grader show") == 0


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_without_colour_it_is_plain_and_80_columns(lang: Lang) -> None:
    text = render_text(factory.report(), LAB, lang, run=RUN)
    assert active(text, lines=True) == []
    assert max(len(row) for row in text.splitlines()) <= 80
    assert not re.search("[\u2500-\u257f]", text)
    assert "render_" not in text


def test_an_outcome_has_a_sign_and_a_word() -> None:
    text = render_text(factory.report(), LAB, "fr")
    assert re.search(r"✗ +nonroot .*échoué", text)
    assert re.search(r"✓ +build .*réussi +2 / 2", text)
    assert re.search(r"– +stop .*non évalué +– / 1", text)


def test_numbers_follow_the_language() -> None:
    report = factory.report(score=12.5)
    assert "12,5 / 20" in render_text(report, LAB, "fr")
    assert "12.5 / 20" in render_text(report, LAB, "en")


def test_whose_fault_it_is() -> None:
    def said(**fields: object) -> str:
        return " ".join(render_text(factory.report(**fields), LAB, "en").split())

    assert "yours to win back" in said()
    rule = Rejection(rule="base", message="FROM alpine is not a base of the course.")
    rejected = said(status="rejected", run_class="REJECT_POLICY", score=0.0, rejection=rule, items=())
    assert "breaks one rule" in rejected and "FROM alpine" in rejected
    infra = said(status="infra", run_class="INFRA", score=None, items=(), provisional=False)
    assert "Ours: no mark was given" in infra and "/ 20" not in infra
    review = said(status="review", run_class="UNSUPPORTED", score=None, items=(), provisional=False)
    assert "Nobody's fault" in review
    ours = factory.item("stop", "error", message="The check itself failed.")
    assert "failed on our side" in said(items=(ours,))
    assert "every item passed" in said(items=(factory.item("build"),), provisional=False)


def test_a_students_copy_never_shows_a_total() -> None:
    items = (factory.item("build"), factory.item("latency", "skipped", cause="hidden"))
    text = render_text(factory.report(items=items, score=None), LAB, "en")
    assert "Public checks 1/1, hidden checks not run." in text
    assert "/ 20" not in text


def test_an_item_that_the_lab_no_longer_has_is_shown_by_its_id() -> None:
    gone = factory.item("build", "failed").model_copy(update={"id": "gone"})
    assert "✗ gone" in render_text(factory.report(items=(gone,)), LAB, "en")


def test_colour_is_ours_alone() -> None:
    """With colour on, each escape sequence is one that the benign report also has."""
    sequence = re.compile(r"\x1b\[[0-9;]*m")
    for text in factory.HOSTILE:
        coloured = render_text(factory.hostile_report(text), LAB, "en", colour=True)
        assert "\x1b[" in coloured
        plain = sequence.sub("", coloured)
        assert active(plain, lines=True) == []
        assert set(sequence.findall(coloured)) <= {f"\x1b[{code}m" for code in _OURS}


_OURS = ("0", "1", "2", "4", "1;4", "1;31", "1;32", "1;33", "1;35", "1;2", "31", "32", "33", "35")


def test_markup_of_a_student_is_shown_as_typed() -> None:
    text = render_text(factory.hostile_report("[red]x[/red] :bomb:"), LAB, "en", colour=True)
    assert "[red]x[/red] :bomb:" in text
