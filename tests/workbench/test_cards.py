"""What is shown: escaped, readable without colour, the same facts in HTML and in plain text."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.cards import Card, Image, Line, Table, inert, show

Read = Callable[[str], Any]


def _full(text: str, png: bytes) -> Card:
    table = Table([text, "n"], [[text, "1"]], text)
    return Card(text, (Line(text, text), table, Image(png, text, text, text, table)), "en")


@given(text=st.text(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it gives a class
def test_no_text_of_anyone_becomes_markup(read_page: Read, text: str) -> None:
    plain, hostile = read_page(_full("word", b"").html()), read_page(_full(text.replace("`", ""), b"").html())
    shapes = [[(tag, set(attributes)) for tag, attributes in page.tags] for page in (plain, hostile)]
    if text.strip("`"):
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    "attack",
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onload='x", "</table></section>",
     "`<b>x</b>`", "`x` onclick=`y`", "&lt;script&gt;", "<!--", "]]>"],
)  # fmt: skip
def test_attacks_are_shown_as_they_were_typed(attack: str, png: bytes, read_page: Read) -> None:
    page = read_page(_full(attack, png).html())
    assert {tag for tag, _ in page.tags} <= {
        "section", "p", "strong", "span", "table", "caption", "thead", "tbody", "tr", "th", "td", "figure",
        "figcaption", "img", "code",
    }  # fmt: skip
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert page.all("img")[0]["alt"] == attack
    assert re.sub("[ `]", "", attack) in re.sub("[ `]", "", page.text)


@given(st.text())
def test_plain_text_cannot_act_on_a_terminal(text: str) -> None:
    shown = inert(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)
    assert len(shown) == len(text)


def test_html_and_plain_text_carry_the_same_facts(png: bytes, read_page: Read) -> None:
    table = Table(["name", "size"], [["row one", "12"]], "Sizes")
    card = Card(
        "Title", (Line("a sentence", "Label:"), table, Image(png, "what is seen", "In words:", "cap", table)), "en"
    )
    text = read_page(card.html()).text
    for fact in ("Title", "Label:", "a sentence", "name", "row one", "12", "Sizes", "In words:", "what is seen", "cap"):
        assert fact in text
        assert fact in card.plain()


def test_a_table_has_header_cells_for_columns_and_rows(read_page: Read) -> None:
    page = read_page(Table(["name", "ms", "n"], [["a", "1", "2"], ["b", "3", "4"]], "Times").html())
    assert [cell["scope"] for cell in page.all("th")] == ["col"] * 3 + ["row"] * 2
    assert len(page.all("td")) == 4
    assert page.all("caption")


def test_no_colour_carries_meaning(png: bytes) -> None:
    colours = re.findall(r"(?<![\w-])(?:color|background)[^;\"]*", _full("x", png).html())
    assert colours == []


def test_code_between_backticks_is_set_as_code() -> None:
    assert "<code>`</code>" not in Line("a `b` c ` d").html()
    assert "a <code>b</code> c ` d" in Line("a `b` c ` d").html()


def test_a_terminal_without_the_signs_still_gets_the_words(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    show(Card("", (Line("✓ found: été"),), "en"))
    narrow.flush()
    assert narrow.buffer.getvalue() == b"? found: ?t?\n"  # type: ignore[attr-defined]
