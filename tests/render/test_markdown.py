"""The Markdown view: pasted into a discussion, a report points nowhere, calls nobody and hides nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from grader.records import Lang, Rejection
from grader.render.inert import REPORT_LIMIT
from grader.render.markdown import code, plain, render_markdown

from . import factory
from .test_inert import active

LAB = factory.lab()
RENDERERS = {
    # As written, and as the sites where students talk render it: raw HTML on, addresses found without being asked.
    "commonmark": MarkdownIt("commonmark").enable(["table", "strikethrough"]),
    "gfm": MarkdownIt("gfm-like", {"html": True}),
}
_QUIET = {"text", "code_inline", "softbreak", "strong_open", "strong_close"}
_BLOCKS = {"heading", "paragraph", "table", "thead", "tbody", "tr", "th", "td"}


def tokens(source: str, renderer: str) -> Iterator[Token]:
    for token in RENDERERS[renderer].parse(source):
        yield from token.children or () if token.type == "inline" else (token,)


def words(source: str) -> str:
    """What a reader sees."""
    return " ".join(token.content for token in tokens(source, "gfm") if token.content)


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("text", factory.HOSTILE)
def test_hostile_strings_make_no_node(text: str, lang: Lang, renderer: str) -> None:
    source = render_markdown(factory.hostile_report(text), LAB, lang, verbose=True)
    assert active(source, lines=True) == []
    found = list(tokens(source, renderer))
    blocks = {f"{name}_{end}" for name in _BLOCKS for end in ("open", "close")}
    assert {token.type for token in found} <= _QUIET | blocks
    benign = tokens(render_markdown(factory.hostile_report("x"), LAB, lang, verbose=True), renderer)
    assert [one.type for one in found if one.type in blocks] == [one.type for one in benign if one.type in blocks]


@pytest.mark.parametrize("text", factory.HOSTILE)
def test_what_might_become_a_link_or_a_call_stands_in_code(text: str) -> None:
    """Sites look for these in whatever is not code, after their Markdown is read."""
    source = render_markdown(factory.hostile_report(text), LAB, "en", verbose=True)
    for token in tokens(source, "gfm"):
        if token.type == "text":
            assert not re.search(r"://|www\.|@\w|#\d|mailto:|javascript:|:\w+:", token.content)


@pytest.mark.parametrize("text", [text for text in factory.HOSTILE if text.isascii() and text.isprintable()])
def test_text_reads_as_it_was_typed(text: str) -> None:
    if len(text) < 4096:
        shown = "".join(token.content for token in tokens(plain(text), "gfm"))
        assert shown.replace("`", "") == " ".join(text.split()).replace("`", "")


@pytest.mark.parametrize("text", ["a", "`", "``", "a`", "`a", " a ", "a``b`c", "`" * 40, "x` ` `y", "\\`", "a\\"])
def test_a_code_span_holds_every_run_of_backticks(text: str) -> None:
    (token,) = (one for one in tokens(code(text), "commonmark") if one.content)
    assert (token.type, token.content) == ("code_inline", text.strip())


def test_backticks_become_code_and_the_rest_is_escaped() -> None:
    assert plain("use `<b>` here") == "use `<b>` here"
    assert plain("one ` tick <b>") == r"one \` tick \<b\>"
    assert plain("1. one") == r"1\. one"
    assert plain("- one") == r"\- one"
    assert plain("mail a@b.example, now") == "mail `a@b.example,` now"


def test_the_score_the_table_and_the_next_step() -> None:
    source = render_markdown(factory.report(), LAB, "en")
    assert source.startswith("# In a box (`05-docker`)\n\n`work/05-docker`\n\n**15 / 20 (provisional)**\n")
    assert "| ✗ | `nonroot` | No process runs as root | failed | 0 / 2 |" in source
    assert "### ✗ No process runs as root (0 / 2)" in source
    assert "The process uvicorn (pid 7) runs with uid 0" in source
    assert "**NEXT** Who starts the server" in source
    assert "useradd" not in source
    assert "**Hint 3** Near the end" in render_markdown(factory.report(), LAB, "en", verbose=True)


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_table_has_five_columns_whatever_stands_in_it(lang: Lang) -> None:
    for text in factory.HOSTILE:
        items = (factory.item("build").model_copy(update={"id": text}),)
        source = render_markdown(factory.report(items=items), LAB, lang)
        kinds = [token.type for token in tokens(source, "gfm")]
        assert kinds.count("td_open") == kinds.count("th_open") == 5
        assert "render_" not in source


def test_a_rejection_and_a_missing_score_are_said() -> None:
    rule = Rejection(rule="base", message="`FROM alpine` is not a base of the course.")
    fields = {"run_class": "REJECT_POLICY", "items": (), "rejection": rule}
    rejected = words(render_markdown(factory.report(status="rejected", score=0.0, **fields), LAB, "en"))
    assert "breaks one rule" in rejected and "FROM alpine" in rejected
    infra = render_markdown(factory.report(status="infra", run_class="INFRA", score=None, items=()), LAB, "fr")
    assert "/ 20" not in infra and "non noté" in infra
    copy = factory.report(items=(factory.item("build"),), score=None)
    assert "Public checks 1/1" in render_markdown(copy, LAB, "en")


def test_it_keeps_within_the_limit_of_a_report() -> None:
    item = factory.item("nonroot", "failed", message="<" * 4000)
    source = render_markdown(factory.report(items=(item,) * 500), LAB, "en")
    assert len(source.encode()) <= REPORT_LIMIT
