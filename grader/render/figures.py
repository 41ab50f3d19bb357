"""Numbers as a reader of each language writes them."""

from __future__ import annotations

from grader.records import Lang

_UNITS = {"en": ("B", "kB", "MB", "GB"), "fr": ("o", "ko", "Mo", "Go")}


def number(value: float, lang: Lang, digits: int = 2) -> str:
    """`value` with at most `digits` decimals, no idle zeros, a decimal comma in French."""
    text = f"{value:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if text == "-0":
        text = "0"
    return text.replace(".", ",") if lang == "fr" else text


def fixed(value: float, lang: Lang, digits: int = 2) -> str:
    """`value` with exactly `digits` decimals, so that columns and neighbours compare at a glance."""
    text = f"{value:.{digits}f}"
    return text.replace(".", ",") if lang == "fr" else text


def size(count: float, lang: Lang) -> str:
    """A number of bytes in the largest unit that keeps it over one: `12.3 MB`, `12,3 Mo`."""
    units = _UNITS[lang]
    power = 0
    while count >= 999.5 and power < len(units) - 1:
        count /= 1000
        power += 1
    digits = 0 if power == 0 or count >= 100 else 1
    return f"{number(count, lang, digits)}\u00a0{units[power]}"


def milliseconds(value: float, lang: Lang) -> str:
    """A time in ms with three significant figures or so."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{number(value, lang, digits)}\u00a0ms"


def seconds(value: float, lang: Lang) -> str:
    """A time in s, to a tenth under a minute."""
    return f"{number(value, lang, 0 if value >= 60 else 1)}\u00a0s"
