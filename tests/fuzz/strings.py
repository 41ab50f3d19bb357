"""Hostile strings by number: what a student may write into anything that somebody else reads."""

from __future__ import annotations

import random
from collections.abc import Callable

CONTROLS = "".join(map(chr, [*range(32), *range(0x7F, 0xA0)]))
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HIDDEN = "\u00ad\u034f\u115f\u1160\u17b4\u180b\u180e\u200b\u200c\u200d\u2060\u2064\u2800\u3164\ufe0f\ufeff\uffa0"
HIDDEN += "\ufffc\ufffe\uffff\u2028\u2029\U000e0001\U000e0041\U000e0100\ue000\U000f0000\U0010ffff"
PLAIN = "abc XYZ 019 é漢🙂 …'\"&<>`|*_~#-+=:;/\\()[]{}!?@$%^"
ESCAPES = (
    "\x1b[31m", "\x1b[0m", "\x1b[2J", "\x1b[1A\x1b[2K", "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\x\x1b]8;;\x1b\\", "\x1b]52;c;aGk=\x07", "\x1bP$q\x1b\\", "\x9b31m",
    "\x9d0;t\x9c", "\x1b[?1049h", "\x1b[6n", "\x0e", "\x08\x08", "\r", "\x7f",
)  # fmt: skip
MARKUP = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='x", "</title>", "</style>",
    "</textarea>", "<svg/onload=x>", "<a href=javascript:x>y</a>", "<!-- x", "-->", "<![CDATA[", "]]>", "<?xml x?>",
    "<!DOCTYPE x>", "&#x1b;", "&amp;lt;", "&e;", "<b", "<math>", "<base href=//evil>", "<iframe srcdoc='<b>'>",
    "<style>*{}</style>", "<x:y z='", "{{ 7*7 }}", "{% raw %}", "{# x #}", "{facts}", "{0}", "%s", "${x}",
    "[red]x[/red]", "[/]", "[link=http://evil]x[/link]", ":bomb:", "[@click=app.bell]x[/]", "\\[red]",
)  # fmt: skip
MARKDOWN = (
    "[x](javascript:alert(1))", "![y](http://evil.example/p.png)", "<http://evil.example>",
    "[z]: http://evil.example", "www.evil.example", "http://evil.example", "a@b.example", "@everyone", "#1", "**b**",
    "_i_", "~~s~~", "`", "``", "```", "````````", "~~~", "\n# h", "\n- x", "\n1. x", "\n> q",
    "\n| a | b |\n| - | - |\n", "\n---\n", "\n    code", "\n<div>\n", "\\", "\\`", "`\\|`", "|", "$x$", "[^1]",
    "\n===", "<br>", "1) one", "+ x", "- [ ] x", "\t\tx", "&copy;", "*" * 50, "[" * 50, ">" * 50, "`" * 51,
)  # fmt: skip
FORMULAS = (
    '=HYPERLINK("http://evil")',
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "＋1",
    "－1",
    "＠1",
    "=cmd|' /C calc'!A0",
)
TEMPLATES = (*ESCAPES, *MARKUP, *MARKDOWN, *FORMULAS)


def string(number: int) -> tuple[str, str]:
    """The kind and the text of one hostile string."""
    kind = tuple(MAKERS)[number % len(MAKERS)]
    return kind, MAKERS[kind](random.Random(f"string {number}"))


def drawn(alphabet: str) -> Callable[[random.Random], str]:
    return lambda chance: "".join(chance.choices(alphabet + PLAIN, k=chance.choice([1, 5, 40, 400])))


def pieced(pieces: tuple[str, ...]) -> Callable[[random.Random], str]:
    def make(chance: random.Random) -> str:
        between = chance.choice(["", " ", "\n", "x"])
        return between.join(chance.choices(pieces, k=chance.choice([1, 1, 3, 12])))

    return make


def surrogates(chance: random.Random) -> str:
    return "".join(
        chr(chance.randrange(0xD800, 0xE000)) if chance.random() < 0.4 else chance.choice(PLAIN) for _ in range(60)
    )


def anything(chance: random.Random) -> str:
    return "".join(chr(chance.randrange(0x110000)) for _ in range(chance.choice([1, 20, 300])))


def huge(chance: random.Random) -> str:
    return chance.choice(TEMPLATES + tuple(CONTROLS + BIDI + HIDDEN)) * chance.choice([1000, 5000, 200_000])


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "control": drawn(CONTROLS), "escapes": pieced(ESCAPES), "bidi": drawn(BIDI + HIDDEN), "markup": pieced(MARKUP),
    "markdown": pieced(MARKDOWN), "surrogates": surrogates, "formula": pieced(FORMULAS), "anything": anything,
    "mixture": pieced(TEMPLATES), "huge": huge,
}  # fmt: skip
