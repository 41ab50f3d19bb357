"""A report whose every foreign string is hostile, in every view: what each view may not contain."""

from __future__ import annotations

import html.parser
import io
import json
import re
import time
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any
from xml.etree import ElementTree

from grader import words
from grader.records import Lang, Report
from grader.render import FORMATS, Reader
from grader.render.inert import REPORT_LIMIT, inert

from ..render import factory
from .strings import string

LAB = factory.lab()
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ACTIVE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
BARE = re.compile(r"://|www\.|@\w", re.IGNORECASE)
VOID = ("meta", "br")
Row = dict[str, Any]
Shape = list[tuple[str, ...]]


def trial(number: int) -> Row:
    """One string in every view, and everything that is wrong with them."""
    kind, text = string(number)
    lang: Lang = "fr" if number % 2 else "en"
    began = time.monotonic()
    faults = [fault for name in FORMATS for fault in viewed(name, text, lang)] + worded(text, lang)
    return {"number": number, "kind": kind, "faults": faults, "seconds": round(time.monotonic() - began, 3)}


def viewed(name: str, text: str, lang: Lang) -> list[str]:
    """The faults of one view, each with the view's name in front."""
    found = []
    for colour in (False, True) if name == "text" else (False,):
        try:
            shown = render(name, text, lang, colour)
            found += CHECKS.get(name, unknown)(shown, lang)
        except Exception as error:
            found.append(f"raised: {type(error).__name__} {str(error)[:100]}")
    return [f"{name}: {fault}" for fault in found]


def render(name: str, text: str, lang: Lang, colour: bool = False) -> str:
    reader = Reader(LAB, lang, factory.hostile_evidence(text), verbose=True, colour=colour)
    return FORMATS[name](factory.hostile_report(text), reader)


@cache
def benign(name: str, lang: Lang) -> Any:
    """What a report without any hostile string has in a view: colours, elements, blocks."""
    if name == "text":
        return set(COLOUR.findall(render(name, "x", lang, colour=True)))
    if name == "html":
        # A step's name with a dot is drawn on a line of its own, as one without is not.
        return {("code",), *(node for text in ("x", "x.y") for node in Nodes(render(name, text, lang)).shape)}
    if name == "markdown":
        return [tokens(render(name, text, lang))[0] for text in ("x", " ")]
    return elements(render(name, "x", lang))


def active(shown: str) -> list[str]:
    """Characters that act, hide or reorder, found without help from the code under test; too much text is one too."""
    bad = {char for char in shown if unicodedata.category(char) in ACTIVE and char not in "\n\t"}
    bad |= set(shown) & set("\u034f\u115f\u1160\u2800\u3164\uffa0\ufe0f\ufffe\uffff")
    found = [f"active: {' '.join(f'U+{ord(char):04X}' for char in sorted(bad)[:5])}"] if bad else []
    return found + (["too long"] if len(shown.encode("utf-8", "replace")) > REPORT_LIMIT else [])


def unknown(shown: str, lang: Lang) -> list[str]:
    return active(shown)


def terminal(shown: str, lang: Lang) -> list[str]:
    """Colours are those that a benign report has too; without them there is no control character at all."""
    foreign = set(COLOUR.findall(shown)) - benign("text", lang)
    return active(COLOUR.sub("", shown)) + ([f"colours: {sorted(foreign)[:3]}"] if foreign else [])


class Nodes(html.parser.HTMLParser):
    """Every element with its attributes and their values, comments and declarations included."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.shape: Shape = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, *(f"{name}={value}" for name, value in sorted(attrs))))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.shape.append(("unbalanced", tag))

    def handle_comment(self, data: str) -> None:
        self.shape.append(("comment",))

    def handle_pi(self, data: str) -> None:
        self.shape.append(("instruction",))

    def unknown_decl(self, data: str) -> None:
        self.shape.append(("declaration",))


def page(shown: str, lang: Lang) -> list[str]:
    """The elements are those of a benign page, attribute for attribute; backticks may make code of a text."""
    nodes = Nodes(shown)
    foreign = [node for node in nodes.shape if node not in benign("html", lang)]
    return active(shown) + [f"node: {node}" for node in foreign[:3]] + (["unclosed"] if nodes.open else [])


def data(shown: str, lang: Lang) -> list[str]:
    Report.model_validate(json.loads(shown, parse_constant=lambda name: 1 / 0))
    return active(shown)


def xml(shown: str, lang: Lang) -> list[str]:
    """The document parses, and its elements and attributes are those of a benign report, in the same order."""
    return active(shown) + ([] if elements(shown) == benign("junit", lang) else ["other elements"])


def elements(source: str) -> Shape:
    return [(node.tag, *sorted(node.attrib)) for node in ElementTree.fromstring(source).iter()]


def markdown(shown: str, lang: Lang) -> list[str]:
    """The blocks are those of a benign report; inside them there is text, code and our own emphasis."""
    blocks, inside, text = tokens(shown)
    # Where a text is nothing but blanks, its paragraph is not there.
    found = [] if blocks in benign("markdown", lang) else ["other blocks"]
    found += [f"inline: {kind}" for kind in sorted(inside - {"text", "code_inline", "strong_open", "strong_close"})]
    bare = BARE.search(text)
    return active(shown) + found + ([f"linked: {text[max(0, bare.start() - 9) : bare.end() + 9]!r}"] if bare else [])


def tokens(source: str) -> tuple[list[str], set[str], str]:
    """Kinds of blocks in order, kinds of what is inside them, and the text that stands outside code."""
    from markdown_it import MarkdownIt

    parsed = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)
    children = [child for token in parsed for child in token.children or ()]
    text = "\n".join(child.content for child in children if child.type == "text")
    return [token.type for token in parsed], {child.type for child in children}, text


def worded(text: str, lang: Lang) -> list[str]:
    """Sentences of errors on the terminal, with the text in all their places."""
    found = []
    for code in ("path", "dockerfile_syntax", "base", "submission_missing", "unknown_item", "engine_refused"):
        facts = dict.fromkeys(words.placeholders(words.template(code, lang)), text)
        found += [f"words: {fault}" for fault in active(inert(words.say(code, lang, facts), lines=True))]
    return found + [f"progress: {fault}" for fault in active(COLOUR.sub("", progressed(text, lang)))]


def progressed(text: str, lang: Lang) -> str:
    """What a run's progress leaves on a terminal, the movements of its own spinner taken away."""
    from rich.console import Console

    from grader.render.progress import Progress

    screen = io.StringIO()
    with Progress(lang, Console(file=screen, force_terminal=True, width=80, _environ={})) as progress:
        progress("build", text)
        progress("start", text)
    return re.sub(r"\x1b\[(?:\?25[lh]|[0-9]*[AK])|\r", "", screen.getvalue())


CHECKS: dict[str, Callable[[str, Lang], list[str]]] = {
    "text": terminal, "html": page, "json": data, "junit": xml, "markdown": markdown,
}  # fmt: skip
