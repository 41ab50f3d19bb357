"""The page: nothing in it acts, nothing in it reaches out, everything in it can be read without seeing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from grader.records import Evidence, Lang, Rejection, Report
from grader.render.html import prose, render_html
from grader.render.html.svg import element
from grader.render.inert import REPORT_LIMIT

from . import factory
from .test_inert import active

LAB = factory.lab()
_VOID = {"meta"}
_TAGS = """
html head meta title style body header main footer section article figure div p h1 h2 h3 b em small span
code pre details summary table thead tbody tr th td dl dt dd svg desc rect line circle path text
"""
_ATTRIBUTES = """
lang charset http-equiv content name class id scope tabindex role open aria-hidden aria-labelledby
viewbox preserveaspectratio x y x1 y1 x2 y2 cx cy r rx width height d text-anchor
"""


class Page(HTMLParser):
    """What a browser would find: nodes, attributes, text, and whether every element is closed."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.stack: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack and self.stack.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if "style" not in self.stack:
            self.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(report: Report | None = None, evidence: Evidence | None = None, lang: Lang = "en") -> Page:
    source = render_html(report or factory.report(), evidence, LAB, lang)
    parsed = Page(source)
    assert parsed.stack == []
    return parsed


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("text", factory.HOSTILE)
def test_hostile_strings_make_no_node_and_no_attribute(text: str, lang: Lang) -> None:
    hostile = factory.hostile_report(text), factory.hostile_evidence(text)
    source = render_html(*hostile, LAB, lang)
    assert active(source, lines=True) == []
    assert len(source.encode()) <= REPORT_LIMIT
    found, benign = (
        Page(source),
        Page(render_html(factory.hostile_report("x"), factory.hostile_evidence("x"), LAB, lang)),
    )
    assert {tag for tag, _ in found.tags} <= {tag for tag, _ in benign.tags} | {"code"} <= set(_TAGS.split())
    assert {name for _, attributes in found.tags for name in attributes} <= set(_ATTRIBUTES.split())
    assert len(found.all("svg")) == len(benign.all("svg"))
    if text.startswith("<script>"):
        assert text in found.words


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_page_refers_to_nothing_outside(lang: Lang) -> None:
    source = render_html(factory.report(), factory.evidence(), LAB, lang)
    found = Page(source)
    assert {tag for tag, _ in found.tags} <= set(_TAGS.split())
    assert not re.search(r"url\(|@import|https?://(?!0\.0\.0\.0)|expression\(", source)
    policy = next(meta["content"] for meta in found.all("meta") if "http-equiv" in meta)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_page_can_be_read_without_seeing_it(lang: Lang) -> None:
    found = page(evidence=factory.evidence(), lang=lang)
    assert found.all("html") == [{"lang": lang}]
    assert all("scope" in header for header in found.all("th"))
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    referred = " ".join(attributes.get("aria-labelledby") or "" for _, attributes in found.tags).split()
    assert set(referred) <= set(ids)
    names = [tag for tag, _ in found.tags]
    for tag in ("main", "footer", "h1", "title"):
        assert tag in names
    assert len(found.all("svg")) == 6
    assert all(drawing["role"] == "img" for drawing in found.all("svg"))
    assert names.count("desc") == 6
    headings = [int(tag[1]) for tag in names if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_every_word_is_known(lang: Lang) -> None:
    bare = render_html(factory.report(), None, LAB, lang)
    full = render_html(factory.report(), factory.evidence(), LAB, lang)
    for source in (bare, full):
        words = Page(source).words
        assert not re.search(r"\b(render|outcome|status|section|column|absent|fact)_[a-z]", words)
        assert not re.search(r"\{[a-z_]+\}", words)


def test_the_latency_figure_says_what_the_check_says() -> None:
    found = page(evidence=factory.evidence())
    assert re.search(r"took 1\.8\d times as long .* 1\.7\d to 1\.8\d", found.words)
    for words in ("full points", "half", "none", "1.5\u00a0×", "2.5\u00a0×", "600 requests to each side"):
        assert words in found.words


def test_without_thresholds_there_are_no_zones() -> None:
    found = Page(render_html(factory.report(), factory.evidence(), factory.lab(thresholds=()), "en"))
    assert "full points" not in found.words
    assert "1.81" in found.words


def test_layers_are_named_by_the_students_own_lines() -> None:
    words = page(evidence=factory.evidence()).words
    assert "RUN pip install" in words and "COPY dir:77ab in app/" in words
    assert "#(nop)" not in words


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (None, "not at hand"),
        (factory.evidence(sections={"build": {"result": {"ok": False, "log": "boom"}}}, timeline=()), "did not build"),
        (factory.evidence(sections={"normal": {"ready": {"ok": False, "log": ""}}}, timeline=()), "did not start"),
        (factory.evidence(sections={}, timeline=()), "not measured in this run"),
    ],
)
def test_missing_evidence_leaves_the_picture_out_and_says_why(evidence: Evidence | None, reason: str) -> None:
    found = page(evidence=evidence)
    assert len(found.all("svg")) == 1
    assert found.words.count(reason) == 4


def test_useless_times_draw_nothing() -> None:
    sections = factory.sections()
    bad = [{"student": [float("nan"), 0.0, -1.0], "yardstick": [float("inf")]}, {"student": [], "yardstick": [1.0]}]
    sections["normal"]["latency"] = {"turns": bad}
    assert len(page(evidence=factory.evidence(sections=sections)).all("svg")) == 4


def test_equal_times_and_one_turn_still_draw() -> None:
    sections = factory.sections()
    sections["normal"]["latency"] = {"turns": [{"student": [1.0], "yardstick": [1.0]}]}
    sections["normal"]["model_loads"] |= {"cpu_ms": 0.0}
    sections["padded"]["model_loads"] |= {"cpu_ms": 0.0}
    assert len(page(evidence=factory.evidence(sections=sections)).all("svg")) == 6


def test_a_traceback_stands_open_and_alone() -> None:
    found = page(evidence=factory.hostile_evidence("plain"))
    assert "Traceback at start-up" in found.words
    opened = [details for details in found.all("details") if "open" in details]
    assert len(opened) == 2  # the failed build's log, and the traceback


def test_a_log_keeps_its_end() -> None:
    sections = factory.sections()
    sections["build"]["result"]["log"] = "start\n" + "x\n" * 9000 + "the error\n"
    found = page(evidence=factory.evidence(sections=sections))
    assert "the error" in found.words and "start\nx" not in found.words and "[… +" in found.words


def test_a_rejection_is_the_first_thing() -> None:
    rejection = Rejection(rule="base", message="`FROM alpine` is not a base of the course.")
    found = page(factory.report(status="rejected", run_class="REJECT_POLICY", score=0.0, items=(), rejection=rejection))
    assert "breaks one rule" in found.words and "FROM alpine is not a base" in found.words
    assert found.all("svg") == []


def test_no_score_is_not_a_zero() -> None:
    words = page(factory.report(status="infra", run_class="INFRA", score=None, items=(), provisional=False)).words
    assert "/ 20" not in words and "not graded" in words


def test_too_much_evidence_gives_way_to_the_report() -> None:
    sections = factory.sections()
    layer = sections["image"]["layers"][-1]
    sections["image"]["layers"] = [layer | {"diff_id": str(index), "created_by": "&" * 9000} for index in range(9999)]
    source = render_html(factory.report(), factory.evidence(sections=sections), LAB, "en")
    assert len(source.encode()) <= REPORT_LIMIT


def test_a_title_may_hold_code() -> None:
    titled = LAB.model_copy(
        update={"items": tuple(item.model_copy(update={"title": factory.CODED}) for item in LAB.items)}
    )
    source = render_html(factory.report(), None, titled, "en")
    assert source.count("<code>.dockerignore</code> keeps junk out") > len(LAB.items)
    assert "`.dockerignore`" not in source


def test_backticks_become_code_and_stay_escaped() -> None:
    assert prose("use `<b>` here") == "use <code>&lt;b&gt;</code> here"
    assert prose("one ` tick <b>") == "one ` tick &lt;b&gt;"


def test_an_attribute_cannot_be_broken_out_of() -> None:
    assert element("text", "<b>", class_='"><script>') == '<text class="&#34;&gt;&lt;script&gt;">&lt;b&gt;</text>'
