"""Nothing that a student wrote may act on a terminal or hide from a reader."""

from __future__ import annotations

import json
import random
import unicodedata

import pytest

from grader.render.inert import REPORT_LIMIT, STRING_LIMIT, capped, inert, inert_json

from .factory import HOSTILE


def active(text: str, *, lines: bool = False) -> list[str]:
    """The characters of `text` that could act, hide or reorder, named without help from the code under test."""
    bad = [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    bad += [c for c in text if c in "\u3164\u115f\u034f\ufe0f\ufffe\uffff"]
    return [c for c in bad if not (lines and c in "\n\t")]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("tail", [False, True])
def test_no_active_character_survives(text: str, lines: bool, tail: bool) -> None:
    shown = inert(text, lines=lines, tail=tail)
    assert active(shown, lines=lines) == []
    assert len(shown.encode()) <= STRING_LIMIT
    assert inert(shown, lines=lines, tail=tail) == shown


def test_every_code_point_is_safe_or_shown() -> None:
    for start in range(0, 0x110000, 0x1000):
        block = "".join(map(chr, range(start, start + 0x1000)))
        assert active(inert(block, limit=1 << 20)) == [], hex(start)


def test_ten_thousand_random_strings_stay_quiet() -> None:
    chance = random.Random(1)
    pool = "ab\x1b[31m\u202e\u200b\x00\x9b\ud800é漢🙂\n\r\t\u2028<&'\""
    for _ in range(10_000):
        text = "".join(chance.choices(pool, k=chance.randrange(30)))
        assert active(inert(text)) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", r"\u{1b}[31m"),
        ("a\u202eb", r"a\u{202e}b"),
        ("\x7f\x9b\ud800", r"\u{7f}\u{9b}\u{d800}"),
        ("a\nb", r"a\u{a}b"),
        ("étalon 漢 🙂 €", "étalon 漢 🙂 €"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert inert(text) == shown


def test_lines_keep_newlines_and_tabs_but_no_carriage_return() -> None:
    assert inert("a\r\n\tb\rc", lines=True) == "a\n\tb\\u{d}c"


def test_what_is_cut_is_counted() -> None:
    head, tail = inert("a" * 5000), inert("b" * 5000, tail=True)
    assert 4000 < head.count("a") < 4096
    assert head.endswith(f" [… +{5000 - head.count('a')}]")
    assert tail.startswith(f"[… +{5000 - tail.count('b')}] b")


def test_a_cut_never_leaves_half_an_escape_or_half_a_letter() -> None:
    for text in ("\u202e" * 3000, "é" * 3000, "x" + "\U000e0041" * 3000):
        for tail in (False, True):
            kept = inert(text, tail=tail).replace(r"\u{202e}", "").replace(r"\u{e0041}", "").replace("é", "")
            assert "u{" not in kept and "\ufffd" not in kept


def test_json_facts_that_no_parser_would_take() -> None:
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    data = inert_json({"a\x1b": [float("nan"), float("inf"), 10**5000, True, None, 1.5], "deep": deep})
    assert json.loads(json.dumps(data, allow_nan=False))["a\\u{1b}"][:2] == ["nan", "inf"]
    assert data["a\\u{1b}"][3:] == [True, None, 1.5]


def test_a_whole_report_keeps_within_its_limit() -> None:
    text = capped("é line\n" * 500_000)
    assert len(text.encode()) <= REPORT_LIMIT
    assert text.splitlines()[-1].startswith("[… +")
    assert capped("short\n") == "short\n"
