"""A report that turns our trouble into a mark, or that tells a student what is hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.errors import InfraError, SubmissionError, Unsupported
from grader.lab import load_lab
from grader.records import Evidence, Lab, Outcome, Report, Staged, Verdict
from grader.reporting import About, exit_code, infra, rejected, review, summarise, worded

LABS = Path(__file__).parent / "fixtures" / "labs"
ABOUT: About = {"source": "work/05", "grader": "0.1.0", "engine": None, "seed": 7, "seconds": {}, "lang": "en"}
STAGED = Staged(source="work/05", root="/tmp/x", digest="sha256:aa", files=())
EVIDENCE = Evidence(lab="90-tiny", seed=7, sections={"build": {"result": {"ok": True}}}, base="sha256:bb")


@pytest.fixture
def lab() -> Lab:
    return load_lab(LABS / "90-tiny")


def _verdicts(*outcomes: tuple[Outcome, float, str | None]) -> tuple[Verdict, ...]:
    facts = {"path": "app", "process": "python", "count": 3, "expected": 7}
    return tuple(
        Verdict(item=item, outcome=outcome, share=share, cause=cause, facts=facts if cause else {})
        for item, (outcome, share, cause) in zip(("build", "nonroot", "answers"), outcomes, strict=False)
    )


def _report(lab: Lab, *outcomes: tuple[Outcome, float, str | None]) -> Report:
    return summarise(lab, STAGED, EVIDENCE, _verdicts(*outcomes), **ABOUT)


def test_points_follow_the_shares(lab: Lab) -> None:
    report = _report(lab, ("passed", 1, None), ("failed", 0, "root"), ("partial", 0.5, "wrong"))
    assert [item.points for item in report.items] == [4, 0, 4]
    assert (report.status, report.run_class, report.score, report.max_score) == ("graded", "GRADED", 8, 20)
    assert not report.provisional and report.rejection is None
    assert (report.digests.base, report.submission.digest) == ("sha256:bb", "sha256:aa")
    assert exit_code(report) == 1


def test_thirds_add_up_to_a_readable_mark(lab: Lab) -> None:
    report = _report(lab, ("partial", 1 / 3, None), ("partial", 1 / 3, None), ("partial", 1 / 3, None))
    assert report.score == 6.67


def test_our_trouble_is_never_a_mark(lab: Lab) -> None:
    report = _report(lab, ("passed", 1, None), ("error", 0, "check_broken"), ("passed", 1, None))
    assert (report.status, report.run_class, report.score, exit_code(report)) == ("infra", "INFRA", None, 4)
    assert report.items[1].message


def test_what_was_not_assessed_makes_the_mark_provisional(lab: Lab) -> None:
    report = _report(lab, ("passed", 1, None), ("skipped", 0, "no_engine"), ("skipped", 0, "need_skipped"))
    assert report.provisional and report.score == 4 and exit_code(report) == 0


def test_an_item_that_nobody_asked_for_is_not_a_zero(lab: Lab) -> None:
    report = _report(lab, ("passed", 1, None))
    assert [item.cause for item in report.items] == [None, "not_asked", "not_asked"]
    assert report.provisional


def test_a_copy_without_hidden_checks_shows_no_total(lab: Lab) -> None:
    report = _report(lab, ("passed", 1, None), ("passed", 1, None), ("skipped", 0, "hidden"))
    assert (report.status, report.score, report.provisional) == ("graded", None, True)


def test_the_class_of_the_run_is_kept(lab: Lab) -> None:
    evidence = EVIDENCE.model_copy(update={"run_class": "BUILD_FAIL"})
    report = summarise(lab, STAGED, evidence, _verdicts(("failed", 0, "copy_missing")), **ABOUT)
    assert (report.status, report.run_class) == ("graded", "BUILD_FAIL")


def test_a_student_reads_what_to_fix_in_both_languages(lab: Lab) -> None:
    report = _report(lab, ("failed", 0, "copy_missing"), ("blocked", 0, "blocked"), ("blocked", 0, "blocked"))
    assert report.items[0].message == "app is copied but not handed in."
    assert report.items[0].hints == ("One.", "Two.", "Three.")
    french = worded(report, lab, "fr")
    assert french.items[0].message == "app est copié mais n'a pas été rendu."
    assert french.items[0].hints == ("Un.", "Deux.", "Trois.")
    assert worded(french, lab, "en") == report


def test_a_blocked_item_names_what_to_repair_first(lab: Lab) -> None:
    verdict = Verdict(item="answers", outcome="blocked", share=0, cause="blocked", facts={"item": "build"})
    report = summarise(lab, STAGED, EVIDENCE, [verdict], **{**ABOUT, "lang": "fr"})
    assert "L'image se construit" in report.items[2].message


def test_facts_of_any_shape_are_worded(lab: Lab) -> None:
    facts = {"process": ["a", {"b": 1.5}], "item": [1], "title": None}
    verdicts = [Verdict(item=item.id, outcome="failed", share=0, cause="root", facts=facts) for item in lab.items]
    report = summarise(lab, STAGED, EVIDENCE, verdicts, **ABOUT)
    assert report.items[1].message == 'a, {"b": 1.5} runs as uid 0.'


def test_a_hidden_check_shows_nothing_but_its_sentence(lab: Lab) -> None:
    report = _report(lab, ("passed", 1, None), ("failed", 0, "root"), ("partial", 0.5, "wrong"))
    assert report.items[2].facts == {"count": 3}, "`expected` would give the hidden answer away"
    assert report.items[2].message == "3 answers are wrong."
    assert "path" in report.items[1].facts, "a public check hides nothing"


def test_a_hidden_cause_without_words_shows_no_facts(lab: Lab) -> None:
    report = _report(lab, ("passed", 1, None), ("passed", 1, None), ("failed", 0, "unheard_of"))
    assert (report.items[2].facts, report.items[2].message) == ({}, "")


def test_a_broken_rule_is_a_zero_with_its_name(lab: Lab) -> None:
    report = rejected(lab, STAGED, SubmissionError("unknown_lab", name="x", near="y"), **ABOUT)
    assert (report.status, report.run_class, report.score, exit_code(report)) == ("rejected", "REJECT_POLICY", 0, 3)
    assert report.rejection is not None and report.rejection.rule == "unknown_lab" and "“x”" in report.rejection.message
    french = worded(report, lab, "fr").rejection
    assert french is not None and "« x »" in french.message


def test_a_submission_refused_at_the_door_says_so(lab: Lab) -> None:
    report = rejected(lab, None, SubmissionError("unknown_lab", stage="stage", name="x", near="y"), **ABOUT)
    assert (report.run_class, report.submission.digest) == ("REJECT_STAGE", None)


def test_what_a_person_must_see_and_what_failed_on_our_side_have_no_mark(lab: Lab) -> None:
    seen = review(lab, STAGED, Unsupported("unknown_lab", name="x", near="y"), **ABOUT)
    assert (seen.status, seen.run_class, seen.score, exit_code(seen)) == ("review", "UNSUPPORTED", None, 5)
    ours = infra(lab, STAGED, InfraError("disk_full", path="/x"), **ABOUT)
    assert (ours.status, ours.run_class, ours.score, exit_code(ours)) == ("infra", "INFRA", None, 4)


def test_a_full_mark_ends_with_zero(lab: Lab) -> None:
    report = _report(lab, ("passed", 1, None), ("passed", 1, None), ("passed", 1, None))
    assert (report.score, exit_code(report)) == (20, 0)


def test_evidence_read_back_from_disk_has_the_same_digest(lab: Lab) -> None:
    evidence = EVIDENCE.model_copy(update={"sections": {"x": {"y": [1.5, float("nan"), "é"]}}})
    again = Evidence.model_validate_json(evidence.model_dump_json())
    digests = [summarise(lab, STAGED, each, (), **ABOUT).digests.evidence for each in (evidence, again)]
    assert digests[0] == digests[1] and digests[0]


def test_the_report_has_the_promised_shape(lab: Lab) -> None:
    data = _report(lab, ("passed", 1, None), ("failed", 0, "root"), ("passed", 1, None)).model_dump(by_alias=True)
    assert data["schema"] == "grader/report/1" and data["class"] == "GRADED"
