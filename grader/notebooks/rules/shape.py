"""R00 to R04: one notebook in two languages, its size, its first cells, its sections."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date

from grader.notebooks.rules.words import OBJECTIVE_VERBS
from grader.notebooks.source import LANGS, Cell
from grader.notebooks.subject import Finding, Section, Subject, levels, prose
from grader.notebooks.versions import version_of
from grader.records import Lang

MINUTES, CELLS, CODE_CELLS, LINES, WORDS = 90, 60, 25, 25, 150
SECTION_MINUTES = (10, 15)
LABELS: dict[Lang, tuple[str, ...]] = {
    "en": ("Objectives", "Prerequisites", "Time", "Hand in", "Last run"),
    "fr": ("Objectifs", "Prérequis", "Durée", "À rendre", "Dernière exécution"),
}
CYCLE = ("predict", "demo", "explain", "exercise", "check")
_NUMBER: dict[Lang, re.Pattern[str]] = {
    "en": re.compile(r"\d+(?:,\d{3}(?!\d))*(?:\.\d+)*"),
    "fr": re.compile(r"\d+(?:[ \u00a0\u202f]\d{3}(?!\d))*(?:[,.]\d+)*"),
}
_INFINITIVE = re.compile(r"(?:s'|s’|se |ne pas )?[\w-]+(?:er|ir|re)\b", re.IGNORECASE)


def r00(subject: Subject) -> Iterator[Finding]:
    """Both languages say the same numbers, and every code cell is Python."""
    for cell in subject.markdown:
        found = {lang: numbers(cell.texts[lang], lang) for lang in LANGS}
        if found["en"] != found["fr"]:
            only = {lang: ", ".join(sorted((found[lang] - found[_other(lang)]).elements())) or "-" for lang in LANGS}
            yield Finding("nb_r00_numbers", cell, {"en": only["en"], "fr": only["fr"]})
        if levels(cell.texts["en"]) != levels(cell.texts["fr"]):
            yield Finding("nb_r00_headings", cell)
    for cell in subject.code:
        try:
            ast.parse(re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", cell.code))
        except SyntaxError as error:
            yield Finding("nb_r00_syntax", cell, {"problem": error.msg, "at": error.lineno or 0})


def r01(subject: Subject) -> Iterator[Finding]:
    """One sitting: minutes, cells, lines and words have limits."""
    for version in ("student", "solution"):
        cells = version_of(subject.source, version)
        code = sum(cell.kind == "code" for cell in cells)
        if len(cells) > CELLS:
            yield Finding("nb_r01_cells", facts={"found": len(cells), "most": CELLS})
            break
        if code > CODE_CELLS:
            yield Finding("nb_r01_code_cells", facts={"found": code, "most": CODE_CELLS})
            break
    for cell in subject.code:
        if (lines := cell.code.count("\n") + 1) > LINES:
            yield Finding("nb_r01_lines", cell, {"found": lines, "most": LINES})
    for cell in subject.markdown:
        for lang in LANGS:
            if (words := len(re.findall(r"[^\W_][\w'’.,/-]*", cell.texts[lang]))) > WORDS:
                yield Finding("nb_r01_words", cell, {"found": words, "most": WORDS}, lang)
    if (minutes := _header_minutes(subject.source.cells[0], "en")) is not None and minutes > MINUTES:
        yield Finding("nb_r01_minutes", subject.source.cells[0], {"found": minutes, "most": MINUTES})


def r02(subject: Subject) -> Iterator[Finding]:
    """The first cell says what, why, how long and what to hand in; headings never skip a level."""
    first = subject.source.cells[0]
    if first.kind != "markdown":
        yield Finding("nb_r02_first", first)
        return
    for lang in LANGS:
        yield from _header_problems(first, lang)
        before = 0
        for cell in subject.markdown:
            for level in levels(cell.texts[lang]):
                if level > before + 1:
                    yield Finding("nb_r02_skips", cell, {"level": level, "before": before}, lang)
                if level == 1 and cell is not first:
                    yield Finding("nb_r02_second_title", cell, {}, lang)
                before = level


def r04(subject: Subject) -> Iterator[Finding]:
    """Sections of 10 to 15 minutes that follow the cycle; their minutes make the header's."""
    sections = subject.sections()
    counted = [section for section in sections if "optional" not in section.heading.tags]
    least, most = SECTION_MINUTES
    for section in sections:
        minutes = section.heading.minutes
        if minutes is None:
            yield Finding("nb_r04_no_minutes", section.heading)
        elif minutes > most or (minutes < least and section.timed):
            yield Finding("nb_r04_minutes", section.heading, {"found": minutes, "least": least, "most": most})
        if section.timed:
            yield from _cycle_problems(section)
    total = sum(section.heading.minutes or 0 for section in counted)
    said = _header_minutes(subject.source.cells[0], "en")
    if said is not None and total != said:
        yield Finding("nb_r04_sum", subject.source.cells[0], {"total": total, "said": said})


def numbers(text: str, lang: Lang) -> Counter[str]:
    """The numbers of a Markdown text, code and addresses aside, written the same whatever the language."""
    plain = re.sub(r"\]\([^)]*\)|https?://\S+", " ", prose(text))
    if lang == "en":
        return Counter(found.replace(",", "") for found in _NUMBER["en"].findall(plain))
    return Counter(re.sub(r"\s", "", found).replace(",", ".") for found in _NUMBER["fr"].findall(plain))


def _other(lang: Lang) -> Lang:
    return "fr" if lang == "en" else "en"


def _header_problems(first: Cell, lang: Lang) -> Iterator[Finding]:
    text = first.texts[lang]
    if levels(text).count(1) != 1 or not text.startswith("# "):
        yield Finding("nb_r02_title", first, {}, lang)
    for label in LABELS[lang]:
        if _said(text, label) is None:
            yield Finding("nb_r02_label", first, {"label": label}, lang)
    story = text.split(f"**{LABELS[lang][0]}")[0].split("\n\n")
    if len([part for part in story if part.strip() and not part.startswith("#")]) != 1:
        yield Finding("nb_r02_story", first, {}, lang)
    goals = re.search(rf"\*\*{LABELS[lang][0]}[^\n]*\n\s*((?:[-*] [^\n]+\n?)+)", text)
    entries = re.findall(r"[-*] +(\S[^\n]*)", goals.group(1)) if goals else []
    if not entries:
        yield Finding("nb_r02_objectives", first, {}, lang)
    for entry in entries:
        verb = entry.split()[0].strip(",;:").lower() in OBJECTIVE_VERBS
        if not (_INFINITIVE.match(entry) if lang == "fr" else verb):
            yield Finding("nb_r02_verb", first, {"entry": entry}, lang)
    if _said(text, LABELS[lang][2]) is not None and _header_minutes(first, lang) is None:
        yield Finding("nb_r02_time", first, {}, lang)
    if (handed := _said(text, LABELS[lang][3])) is not None and "`" not in handed:
        yield Finding("nb_r02_files", first, {}, lang)
    if (ran := _said(text, LABELS[lang][4])) is not None and not _is_past_date(ran):
        yield Finding("nb_r02_date", first, {"found": ran}, lang)


def _said(text: str, label: str) -> str | None:
    """What follows a bold label up to the next one, None where the label is not there."""
    match = re.search(rf"\*\*{label}(?:[\s\u00a0\u202f]*:)?\*\*[\s\u00a0\u202f]*:?(.*?)(?=\n\*\*|\Z)", text, re.DOTALL)
    return match.group(1).strip() if match else None


def _is_past_date(text: str) -> bool:
    try:
        return date.fromisoformat(text.rstrip(".")) <= date.today()
    except ValueError:
        return False


def _header_minutes(first: Cell, lang: Lang) -> int | None:
    match = re.match(r"(\d+)[\s\u00a0\u202f]min", _said(first.texts[lang], LABELS[lang][2]) or "")
    return int(match.group(1)) if match else None


def _cycle_problems(section: Section) -> Iterator[Finding]:
    """Where a step of the cycle is missing, or first comes before the step that it follows."""
    if not re.sub(r"^#.*$", "", section.heading.texts["en"], flags=re.MULTILINE).strip():
        followed = section.cells[1:2]
        if not followed or followed[0].kind != "markdown" or followed[0].tags:
            yield Finding("nb_r04_situation", section.heading)
    before = -1
    for step in CYCLE:
        names = {step, "myth"} if step == "demo" else {step}
        at = next((at for at, cell in enumerate(section.cells) if names & set(cell.tags)), None)
        if at is None:
            yield Finding("nb_r04_step", section.heading, {"step": step})
        elif at < before:
            yield Finding("nb_r04_order", section.cells[at], {"step": step})
        else:
            before = at
