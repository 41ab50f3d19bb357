"""Every sentence that the grader says, in English and French, found by its code in `grader/words/*.toml`."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from grader.records import Lang

_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


def say(code: str, lang: Lang, facts: Mapping[str, object]) -> str:
    """The sentence of `code`, its `{facts}` filled in as plain text; an unknown code is shown as it is.

    Facts may come from a student: the result is text, and each view escapes it in its own way.
    """
    sentence = _catalogue().get(code)
    return code if sentence is None else fill(sentence[lang], facts, lang)


def known(code: str) -> bool:
    """Whether `code` has a sentence."""
    return code in _catalogue()


def template(code: str, lang: Lang) -> str:
    """The sentence of a known code with its `{placeholders}` still in it."""
    return _catalogue()[code][lang]


def fill(sentence: str, facts: Mapping[str, object], lang: Lang) -> str:
    """`sentence` with its placeholders replaced, once: braces in a fact stay braces, a missing fact stays visible."""

    def shown(match: re.Match[str]) -> str:
        name = match.group(1)
        return _worded(name, facts[name], lang) if name in facts else match.group(0)

    return _PLACEHOLDER.sub(shown, sentence)


def placeholders(sentence: str) -> frozenset[str]:
    """The names of the facts that `sentence` shows."""
    return frozenset(_PLACEHOLDER.findall(sentence))


@cache
def _catalogue() -> dict[str, dict[str, str]]:
    merged: dict[str, dict[str, str]] = {}
    for area in sorted(resources.files(__name__).iterdir(), key=lambda file: file.name):
        if area.name.endswith(".toml"):
            merged.update(tomllib.loads(area.read_text(encoding="utf-8")))
    return merged


def _worded(name: str, value: object, lang: Lang) -> str:
    """A fact in the reader's language where it is one of the words in `facts.toml`, else as it is."""
    words = _catalogue().get(f"fact_{name}_{value}") if isinstance(value, str) else None
    return words[lang] if words else _plain(value, lang)


def _plain(value: object, lang: Lang) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        text = f"{value:.0f}" if abs(value) >= 1e6 else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.1f}"
        return text.replace(".", ",") if lang == "fr" else text
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(entry, lang) for entry in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
