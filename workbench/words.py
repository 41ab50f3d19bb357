"""The sentences of this package, in English and French, from `words.toml`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

Lang = Literal["en", "fr"]
Fact = str | int | float | None
LANGS: tuple[Lang, ...] = ("en", "fr")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def say(code: str, lang: Lang, /, **facts: Fact) -> str:
    """The sentence of `code`, its `{facts}` filled in once, as plain text."""
    sentence = catalogue()[code][lang]
    if lang == "fr":
        sentence = _spaced(sentence)
    return _PLACEHOLDER.sub(lambda match: shown(facts.get(match[1]), lang), sentence)


def both(code: str, /, **facts: Fact) -> str:
    """The sentence in each language, for the moment before the notebook has said which."""
    return " / ".join(say(code, lang, **facts) for lang in LANGS)


def shown(value: Fact, lang: Lang) -> str:
    """A fact as text: numbers in the reader's way, a missing one as a dash."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return number(value, lang)
    return str(value)


def number(value: float, lang: Lang, zeros: bool = False) -> str:
    """`value` with the three digits that mean something: 0.123, 12.3, 1230; in columns, `zeros` at the end stay."""
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".") if zeros else f"{value:.3g}"
    return text.replace(".", ",") if lang == "fr" else text


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Code -> language -> sentence with its placeholders."""
    import tomllib

    return tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def _spaced(sentence: str) -> str:
    """French puts a space before tall punctuation, at which a line must not break."""
    return re.sub(r" (?=[:;?!»%])|(?<=«) ", "\u00a0", sentence)
