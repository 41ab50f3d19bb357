"""The report as JUnit XML, for the page on which a CI system lists tests: one suite a lab, one case an item."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from grader.records import Lab, Lang, Outcome, Report, ReportItem, Status
from grader.render.figures import number
from grader.render.inert import REPORT_LIMIT, inert, one_line
from grader.render.outcomes import titles, won
from grader.words import say

_TAGS: dict[Outcome, str] = {
    "failed": "failure",
    "partial": "failure",
    "blocked": "skipped",
    "skipped": "skipped",
    "error": "error",
}
_RUN_TAGS: dict[Status, str] = {"rejected": "failure", "review": "skipped", "infra": "error"}
_COUNTED = (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
_MESSAGE_LIMIT = 512


def render_junit(report: Report, lab: Lab, lang: Lang) -> str:
    """One XML document; what a case says at length is left out where the whole would pass the limit of a report."""
    text = _document(report, lab, lang, at_length=True)
    return text if len(text.encode()) <= REPORT_LIMIT else _document(report, lab, lang, at_length=False)


def _document(report: Report, lab: Lab, lang: Lang, at_length: bool) -> str:
    suite = Element("testsuite", name=inert(report.lab))
    properties = SubElement(suite, "properties")
    for name, value in _facts(report):
        SubElement(properties, "property", name=name, value=inert(value))
    if report.status != "graded":
        suite.append(_run_case(report, lang))
    names = titles(lab, lang)
    for item in report.items:
        suite.append(_item_case(report, item, names.get(item.id, item.id), lang))
    if not at_length:
        for part in suite.iterfind("testcase/*"):
            part.text = None
    root = Element("testsuites", name="grader")
    root.append(suite)
    for element in (root, suite):
        element.set("tests", str(len(suite.findall("testcase"))))
        for name, tag in _COUNTED:
            element.set(name, str(len(suite.findall(f"testcase/{tag}"))))
        element.set("time", f"{sum(report.seconds.values()):.3f}")
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    """What a case cannot say: the mark, and what would repeat the run."""
    yield "status", report.status
    yield "class", report.run_class
    if report.score is not None:
        yield "score", number(report.score, "en")
        yield "max_score", number(report.max_score, "en")
    yield "provisional", str(report.provisional).lower()
    yield "submission", report.submission.source
    if report.submission.digest:
        yield "digest", report.submission.digest
    yield "seed", str(report.seed)
    yield "grader", report.grader


def _run_case(report: Report, lang: Lang) -> Element:
    """A run without a judgement is a case of its own: else a rejected submission would be a suite with nothing red."""
    rejection = report.rejection
    message = rejection.message if rejection and rejection.message else say(f"class_{report.run_class}", lang, {})
    return _case(report, "run", _RUN_TAGS[report.status], rejection.rule if rejection else report.run_class, message)


def _item_case(report: Report, item: ReportItem, title: str, lang: Lang) -> Element:
    points = f"{won(item, lang)} / {number(item.max_points, lang)}"
    parts = [f"{title} ({points})", item.message]
    if item.hints and item.outcome in ("failed", "partial"):
        parts.append(f"{say('render_next', lang, {})}  {item.hints[0]}")
    at_length = "\n".join(inert(part, lines=True) for part in parts if part)
    if item.outcome == "passed":
        case = _case(report, item.id)
        if item.message:
            SubElement(case, "system-out").text = at_length
        return case
    message = item.message or say(f"outcome_{item.outcome}", lang, {})
    return _case(report, item.id, _TAGS[item.outcome], item.cause or item.outcome, message, at_length)


def _case(
    report: Report, name: str, tag: str | None = None, kind: str = "", message: str = "", at_length: str | None = None
) -> Element:
    case = Element("testcase", classname=inert(report.lab), name=inert(name))
    if tag is not None:
        said = SubElement(case, tag, message=one_line(message, _MESSAGE_LIMIT), type=inert(kind))
        said.text = inert(message, lines=True) if at_length is None else at_length
    return case
