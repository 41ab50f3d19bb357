"""The report's page in a real browser: everybody can use it, and nothing that a student wrote acts in it."""

from __future__ import annotations

import socket
from functools import cache
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from grader.records import Lang, Rejection
from grader.render.html import render_html
from grader.words import say

from ..render import factory
from .conftest import Show

pytestmark = pytest.mark.browser

LAB = factory.lab()
CODED = LAB.model_copy(update={"items": tuple(item.model_copy(update={"title": factory.CODED}) for item in LAB.items)})
HOSTILE = {
    "every string": "\n".join(text for text in factory.HOSTILE if len(text) < 4000),
    "markup alone": "".join(text for text in factory.HOSTILE if "<" in text),
    "a word without end": "W" * 4000,
}
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_ACTIVE = """
script, iframe, frame, object, embed, applet, form, input, button, select, textarea, link, base, img, picture, video,
audio, source, track, template, portal, math, a, area, foreignObject, use, animate, set, image, [srcdoc], [href],
[src], [action], [formaction], [style], [contenteditable], [accesskey], [autofocus], meta[http-equiv=refresh]
"""


@cache
def good(lang: Lang = "en") -> str:
    return render_html(factory.report(), factory.evidence(), CODED, lang)


@cache
def hostile(name: str, lang: Lang = "en") -> str:
    text = HOSTILE[name]
    return render_html(factory.hostile_report(text), factory.hostile_evidence(text), LAB, lang)


@cache
def rejected(lang: Lang = "en") -> str:
    rule = Rejection(rule="base", message="`FROM alpine` is not a base of the course.")
    report = factory.report(status="rejected", run_class="REJECT_POLICY", score=0.0, items=(), rejection=rule)
    return render_html(report, None, LAB, lang)


def unfold(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")


def findings(page: Any) -> list[str]:
    """What axe calls serious or critical, each with the nodes that it means."""
    found = util.find_spec("axe_playwright_python")
    assert found is not None and found.submodule_search_locations
    (axe,) = Path(found.submodule_search_locations[0]).rglob("axe.min.js")
    page.evaluate(axe.read_text(encoding="utf-8"))
    run = "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})"
    result = page.evaluate(run, _RULES)
    assert result["testEngine"]["name"] == "axe-core"
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in result["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_nobody_is_shut_out(show: Show, lang: Lang, scheme: str, width: int) -> None:
    for source in (good(lang), rejected(lang), hostile("every string", lang)):
        page = show(source, scheme=scheme, width=width).page
        unfold(page)
        assert findings(page) == []


def test_the_examination_finds_what_is_wrong(show: Show) -> None:
    """Without this, a broken examination would pass every page."""
    faint = good().replace("</main>", '<p style="color:#ccc">faint</p><svg role="img"></svg></main>')
    found = " ".join(findings(show(faint).page))
    assert "color-contrast" in found and "svg-img-alt" in found


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_keyboard_reaches_and_opens_everything_that_is_folded(show: Show, lang: Lang) -> None:
    page = show(good(lang)).page
    folded = page.locator("details:not([open])").count()
    assert folded > 10
    reached = 0
    for _ in range(400):
        page.keyboard.press("Tab")
        at = page.evaluate("[document.activeElement.tagName, !!document.activeElement.parentElement?.open]")
        if at == ["SUMMARY", False]:
            reached += 1
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", "where the focus is must be seen"
            page.keyboard.press("Enter" if reached % 2 else "Space")
        elif at[0] == "BODY":
            break
    assert reached == folded
    assert page.locator("details:not([open])").count() == 0


@pytest.mark.parametrize("name", ["good", "rejected", *HOSTILE])
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_a_telephone_shows_it_without_scrolling_sideways(show: Show, lang: Lang, name: str) -> None:
    source = {"good": good, "rejected": rejected}[name](lang) if name not in HOSTILE else hostile(name, lang)
    page = show(source, width=360).page
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_nothing_that_a_student_wrote_acts(show: Show, lang: Lang, name: str) -> None:
    shown = show(hostile(name, lang))
    page = shown.page
    unfold(page)
    page.wait_for_timeout(200)
    assert page.title() == say("render_page_title", lang, {"lab": "05-docker"})
    assert (shown.dialogs, shown.pages, shown.console) == ([], [], [])
    assert shown.requests == [shown.address]
    assert page.evaluate("rule => [...document.querySelectorAll(rule)].map(one => one.outerHTML)", _ACTIVE) == []
    handlers = "[...document.querySelectorAll('*')].flatMap(one => one.getAttributeNames()).filter(n => /^on/i.test(n))"
    assert page.evaluate(handlers) == []
    if name == "every string":
        assert "<script>alert(1)</script>" in page.inner_text("main")


def test_a_click_on_every_place_leads_nowhere(show: Show) -> None:
    shown = show(hostile("every string"))
    for element in shown.page.locator("h3, p, code, td, th, pre, dd").all()[:60]:
        if element.is_visible():
            element.click(force=True)
    assert shown.page.url == shown.address
    assert (shown.requests, shown.pages, shown.dialogs) == ([shown.address], [], [])


def test_should_markup_slip_in_one_day_the_policy_still_stops_it(show: Show) -> None:
    with socket.create_server(("127.0.0.1", 0)) as outside:
        place = f"http://127.0.0.1:{outside.getsockname()[1]}"
        slipped = (
            "<script>document.title = 'ran'</script><svg onload=\"document.title = 'ran'\"></svg>"
            f"<img src='{place}/i.png' onerror=\"document.title = 'ran'\">"
            "<iframe srcdoc=\"<script>parent.document.title = 'ran'</script>\"></iframe>"
            f"<link rel='stylesheet' href='{place}/s.css'><style>@import '{place}/t.css'</style>"
        )
        shown = show(good().replace("<main", f"{slipped}<main", 1))
        shown.page.wait_for_timeout(300)
        assert shown.page.title() == "Report: lab 05-docker"
        assert sum("Content Security Policy" in said for said in shown.console) >= 5
        outside.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has called
            outside.accept()


def test_a_page_with_its_figures_asks_for_nothing(show: Show) -> None:
    shown = show(good())
    unfold(shown.page)
    shown.page.wait_for_timeout(200)
    assert shown.requests == [shown.address]
    assert shown.console == []


def test_code_in_a_title_is_set_as_code(show: Show) -> None:
    page = show(good()).page
    assert page.locator(".items th code", has_text=".dockerignore").count() == len(LAB.items)
    assert "`" not in page.inner_text("main table.items")
