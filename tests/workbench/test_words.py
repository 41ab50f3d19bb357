"""Sentences: both languages, the same facts, and each one that the code says is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import workbench
from workbench import words

PACKAGE = Path(workbench.__file__).parent
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
COMPUTED = re.compile(r"^(outcome|measure|begun|verdict)_|^check_(ours|refused)$|^bad_(repeats|warmup)$|^ask_|^bet_")


def _said() -> dict[str, frozenset[str] | None]:
    """Code -> the facts that are given where it is said (None: more than one place, or computed)."""
    found: dict[str, frozenset[str] | None] = {}
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            strings = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if name in ("say", "refuse", "WorkbenchError", "need", "_at_least") and strings:
                facts = frozenset(str(keyword.arg) for keyword in node.keywords)
                found[strings[0]] = None if name == "_at_least" else facts
    return found


def test_every_sentence_is_in_both_languages_with_the_same_facts() -> None:
    for code, sentence in words.catalogue().items():
        assert set(sentence) == {"en", "fr"}, code
        assert set(PLACEHOLDER.findall(sentence["en"])) == set(PLACEHOLDER.findall(sentence["fr"])), code
        assert all(text.strip() == text and text for text in sentence.values()), code


@pytest.mark.parametrize("code", sorted(_said()))
def test_what_the_code_says_has_words_for_its_facts(code: str) -> None:
    assert code in words.catalogue()
    facts = _said()[code]
    if facts is not None:
        assert set(PLACEHOLDER.findall(words.catalogue()[code]["en"])) <= facts


def test_no_sentence_is_left_that_nobody_says() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.glob("*.py"))
    unsaid = {code for code in words.catalogue() if f'"{code}"' not in source and not COMPUTED.match(code)}
    assert unsaid == set()
    assert len(_said()) > 40, "the walk sees what is said"


def test_facts_are_filled_in_once_and_missing_ones_are_a_dash() -> None:
    assert words.say("bad_lang", "en", found="{found} {lab}") == '`lang` is {found} {lab}; it must be "en" or "fr".'
    assert words.say("bad_lang", "en").startswith("`lang` is -;")


def test_french_does_not_break_a_line_before_tall_punctuation() -> None:
    text = words.say("ask_kept", "fr", answer="a : b")
    assert text == "Votre réponse est gardée\u00a0: «\u00a0a : b\u00a0»."
    for code in words.catalogue():
        assert not re.search(r" [:;?!»%]|« ", words.say(code, "fr")), code
        assert "\u00a0" not in words.catalogue()[code]["fr"], f"{code}: words.py does that"


@given(st.floats(1e-3, 1e6))
def test_numbers_keep_three_digits(value: float) -> None:
    shown = float(words.number(value, "en"))
    assert shown == pytest.approx(value, rel=0.006)
    assert words.number(value, "fr").replace(",", ".") == words.number(value, "en")


@pytest.mark.parametrize(
    ("value", "plain", "column"),
    [(3.0, "3", "3.00"), (0.14, "0.14", "0.140"), (123.4, "123", "123"), (99.96, "100", "100"), (0, "0", "0.00")],
)
def test_columns_keep_their_zeros(value: float, plain: str, column: str) -> None:
    assert (words.number(value, "en"), words.number(value, "en", zeros=True)) == (plain, column)
