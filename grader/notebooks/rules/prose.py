"""R15 to R17: randomness that can be repeated, figures that everybody can read, words that everybody knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from grader.notebooks.rules.bets import both_languages
from grader.notebooks.rules.words import FAINT_LINKS
from grader.notebooks.source import LANGS
from grader.notebooks.subject import (
    Finding,
    Subject,
    calls,
    imported,
    keyword,
    mentions,
    names_from,
    paragraphs,
    prose,
)
from grader.records import Lang

_GENERATORS = ("default_rng", "Generator", "SeedSequence", "PCG64")
_IMAGE = re.compile(r"!\[([^\]]*)\]\(")
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\([^)]+\)")
_ADDRESS = re.compile(r"(?<!\()(?<!<)https?://\S+")
_COLOUR: dict[Lang, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(?:red|green|blue|orange|purple|yellow|grey)\s+(?:line|curve|bar|dot|point|box|cell)s?\b", re.I
    ),
    "fr": re.compile(
        r"\b(?:ligne|courbe|barre|point|case|cellule)s?\s+(?:rouge|verte?|bleue?|orange|violette?|jaune|grise?)s?\b",
        re.I,
    ),
}
_ACRONYM = re.compile(r"(?<![\w-])[A-Z][A-Z0-9]{1,6}(?=s?(?![\w]))")
_QUOTED = re.compile(r"«[^»]*»")


def r15(subject: Subject) -> Iterator[Finding]:
    """Everything random comes from `seed`, by `default_rng` and `torch.manual_seed`."""
    seeded = names_from(subject.code, "seed")
    modules = list(imported(subject.code))
    for cell, module in modules:
        if module in ("random", "secrets"):
            yield Finding("nb_r15_module", cell, {"found": module})
    for cell, name, call in calls(subject.code):
        last = name.rpartition(".")[2]
        if re.match(r"(?:np|numpy)\.random\.", name) and last not in _GENERATORS:
            yield Finding("nb_r15_module", cell, {"found": name})
        if last in ("default_rng", "manual_seed") and not any(mentions(value, seeded) for value in call.args):
            yield Finding("nb_r15_seed", cell, {"found": name})
        for key in ("random_state", "random_seed", "seed"):
            value = keyword(call, key)
            if isinstance(value, ast.Constant) and not name.startswith("wb."):
                yield Finding("nb_r15_seed", cell, {"found": f"{key}={value.value!r}"})
    torch = next((cell for cell, module in modules if module.partition(".")[0] == "torch"), None)
    if torch is not None and not any(name == "torch.manual_seed" for _, name, _ in calls(subject.code)):
        yield Finding("nb_r15_torch", torch)


def r16(subject: Subject) -> Iterator[Finding]:
    """A figure has caption, text alternative and data; a link says where it leads; colour says nothing alone."""
    yield from _figure_problems(subject)
    for cell in subject.markdown:
        for lang in LANGS:
            text = prose(cell.texts[lang])
            if any(not alt.strip() for alt in _IMAGE.findall(text)) or re.search(r"<img(?![^>]*alt=)", text):
                yield Finding("nb_r16_alt", cell, {}, lang)
            for link in _LINK.findall(text):
                if link.strip().strip(".*_").lower() in FAINT_LINKS or link.startswith("http"):
                    yield Finding("nb_r16_link", cell, {"found": link}, lang)
            if match := _ADDRESS.search(text):
                yield Finding("nb_r16_address", cell, {"found": match.group(0)[:80]}, lang)
            if match := _COLOUR[lang].search(text):
                yield Finding("nb_r16_colour", cell, {"found": match.group(0)}, lang)


def r17(subject: Subject) -> Iterator[Finding]:
    """An acronym is spelled out where it first comes; in French the English term stands in brackets."""
    for lang in LANGS:
        met: set[str] = set()
        for cell in subject.markdown:
            for paragraph in paragraphs(cell.texts[lang]):
                for short in _ACRONYM.findall(_QUOTED.sub(" ", re.sub(r"\]\([^)]*\)", "]", paragraph))):
                    if short in met or short in subject.glossary.known or sum(map(str.isalpha, short)) < 2:
                        continue
                    met.add(short)
                    entry = subject.glossary.acronym(short, lang)
                    if entry is None or entry.long is None:
                        yield Finding("nb_r17_unknown", cell, {"short": short}, lang)
                    elif not _spelled(paragraph, entry.long.en, entry.long.fr, lang):
                        facts = {"short": short, "long": entry.long.in_(lang), "english": entry.long.en}
                        yield Finding("nb_r17_first_fr" if lang == "fr" else "nb_r17_first_en", cell, {**facts}, lang)


def _figure_problems(subject: Subject) -> Iterator[Finding]:
    for cell, name, call in calls(subject.code):
        if name.endswith(".show") and name.partition(".")[0] in ("plt", "fig", "pyplot"):
            yield Finding("nb_r16_show", cell)
        if name == "wb.figure":
            for key in ("caption", "alt"):
                value = keyword(call, key)
                if not (
                    both_languages(value) or (value is not None and not isinstance(value, (ast.Constant, ast.Dict)))
                ):
                    yield Finding("nb_r16_key", cell, {"key": key})
            if keyword(call, "data") is None:
                yield Finding("nb_r16_data", cell)
    for cell in subject.code:
        names = {name for _, name, _ in calls([cell])}
        if names & {"plt.subplots", "plt.figure", "plt.plot", "plt.bar", "plt.imshow"} and "wb.figure" not in names:
            yield Finding("nb_r16_figure", cell)


def _spelled(paragraph: str, english: str, french: str, lang: Lang) -> bool:
    plain = re.sub(r"[*_]", "", re.sub(r"\s+", " ", paragraph)).replace("’", "'").casefold()
    if lang == "en":
        return english.casefold() in plain
    bracketed = " ".join(re.findall(r"\(([^)]*)\)", plain))
    return french.replace("’", "'").casefold() in plain and english.casefold() in bracketed
