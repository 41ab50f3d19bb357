"""The JUnit view: CI systems read it as they read any other, and nothing that a student wrote breaks or acts in it."""

from __future__ import annotations

from xml.etree import ElementTree as XML

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from grader.records import Lang, Rejection, Report
from grader.render.inert import REPORT_LIMIT
from grader.render.junit import render_junit

from . import factory
from .test_inert import active

LAB = factory.lab()


def suite(report: Report, lang: Lang = "en") -> TestSuite:
    """The one suite of a report, as a library that CI tools use reads it."""
    (only,) = JUnitXml.fromstring(render_junit(report, LAB, lang).encode())
    return only


def cases(report: Report, lang: Lang = "en") -> dict[str, TestCase]:
    return {case.name: case for case in suite(report, lang)}


def test_one_case_an_item_and_the_counts_agree() -> None:
    report = factory.report()
    found = suite(report)
    assert found.name == "05-docker"
    assert [case.name for case in found] == [item.id for item in report.items]
    assert {case.classname for case in found} == {"05-docker"}
    assert (found.tests, found.failures, found.errors, found.skipped) == (13, 3, 0, 1)
    assert found.time == pytest.approx(45.8)
    facts = {one.name: one.value for one in found.properties()}
    assert (facts["score"], facts["max_score"], facts["provisional"], facts["seed"]) == ("15", "20", "true", "7")


def test_a_lost_item_says_its_cause_and_one_next_step() -> None:
    (failure,) = cases(factory.report())["nonroot"].result
    assert isinstance(failure, Failure)
    assert (failure.type, failure.message) == ("root", factory.report().items[3].message)
    assert "No process runs as root (0 / 2)" in failure.text
    assert "NEXT  Who starts the server" in failure.text
    assert "useradd" not in failure.text
    (half,) = cases(factory.report(), "fr")["latency"].result
    assert isinstance(half, Failure) and "(1 / 2)" in half.text and "ENSUITE  " in half.text


def test_each_outcome_has_its_own_element() -> None:
    items = (
        factory.item("build", "error", cause="check_broken", message="The check itself failed."),
        factory.item("serve", "blocked", cause="blocked", message="Not judged."),
        factory.item("stop", "skipped"),
        factory.item("load.once", message="Right, but lazy."),
        factory.item("bets"),
    )
    found = cases(factory.report(items=items))
    assert [type(part) for name in ("build", "serve", "stop") for part in found[name].result] == [
        Error,
        Skipped,
        Skipped,
    ]
    assert found["stop"].result[0].message == "not assessed"
    assert found["load.once"].is_passed and "Right, but lazy." in (found["load.once"].system_out or "")
    assert found["bets"].is_passed and found["bets"].system_out is None


@pytest.mark.parametrize(
    ("fields", "element", "kind"),
    [
        ({"status": "rejected", "run_class": "REJECT_POLICY", "score": 0.0}, Failure, "base"),
        ({"status": "review", "run_class": "UNSUPPORTED", "score": None}, Skipped, "base"),
        ({"status": "infra", "run_class": "INFRA", "score": None}, Error, "base"),
        ({"status": "infra", "run_class": "INFRA", "score": None, "rejection": None}, Error, "INFRA"),
    ],
)
def test_a_run_without_a_judgement_is_a_case_of_its_own(fields: dict[str, object], element: type, kind: str) -> None:
    rule = Rejection(rule="base", message="FROM alpine is not a base of the course.")
    found = cases(factory.report(**({"items": (), "rejection": rule} | fields)))
    (said,) = found["run"].result
    assert isinstance(said, element) and said.type == kind
    assert said.message == (rule.message if kind == "base" else "The grader or its machine failed; no mark was given.")


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("text", factory.HOSTILE)
def test_hostile_strings_are_text(text: str, lang: Lang) -> None:
    source = render_junit(factory.hostile_report(text), LAB, lang)
    assert active(source, lines=True) == []
    assert "<!" not in source and source.count("<?") == 1
    tree = XML.fromstring(source)
    benign = XML.fromstring(render_junit(factory.hostile_report("x"), LAB, lang))
    assert [(part.tag, sorted(part.attrib)) for part in tree.iter()] == [
        (part.tag, sorted(part.attrib)) for part in benign.iter()
    ]
    if text.startswith(("<script>", "]]>")):
        (failure,) = tree.iterfind(".//testcase[@name='nonroot']/failure")
        assert failure.get("message") == text and text in (failure.text or "")


def test_every_code_point_can_be_in_a_document() -> None:
    for start in range(0, 0x110000, 0x10000):
        text = "".join(map(chr, range(start, start + 0x10000, 7)))
        pieces = [text[at : at + 200] for at in range(0, len(text), 200)]
        items = tuple(factory.item("nonroot", "failed", message=piece) for piece in pieces)
        XML.fromstring(render_junit(factory.report(items=items), LAB, "en").encode())


def test_equal_reports_make_equal_bytes_and_no_clock_is_asked() -> None:
    first, second = (render_junit(factory.report(), LAB, "en") for _ in range(2))
    assert first == second
    assert "timestamp" not in first and "hostname" not in first


def test_a_huge_report_stays_a_whole_document_within_its_limit() -> None:
    item = factory.item("nonroot", "failed", message="&" * 4000, hints=("&" * 4000,))
    report = factory.report(items=(item,) * 200)
    source = render_junit(report, LAB, "en")
    assert len(source.encode()) <= REPORT_LIMIT
    assert len(XML.fromstring(source).findall(".//failure")) == 200
