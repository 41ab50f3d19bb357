"""R06, R07, R13 and R14: bets before results, myths that are measured, honest timings, stable facts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from grader.notebooks.source import LANGS, Cell
from grader.notebooks.subject import (
    Finding,
    Subject,
    calls,
    first_text,
    imported,
    keyword,
    prose,
    text_of,
)

MYTHS = 2
VERDICTS = ("vrai", "faux", "ça dépend")
WARM_UP, REPEATS = 10, 5
_SPEED = re.compile(r"\d[\d\s.,]*\s?(?:ms|µs|μs|us|ns|req/s|requests/s|requêtes/s|images/s|FPS)(?![\w/])")
_QUOTED = re.compile(r"«[^»]*»")


def r06(subject: Subject) -> Iterator[Finding]:
    """A bet is complete and made where it belongs; what shows the result waits for it."""
    pattern = re.compile(rf"L{subject.source.number}\.B[1-9]\d?")
    waited = _waited_for(subject.code)
    seen: set[str] = set()
    for cell, name, call in calls(subject.code):
        if name != "wb.bet":
            continue
        bet = first_text(call)
        if "predict" not in cell.tags:
            yield Finding("nb_r06_place", cell, {"id": bet or "-"})
        if not pattern.fullmatch(bet):
            yield Finding("nb_r06_id", cell, {"id": bet or "-", "number": subject.source.number})
        elif bet in seen:
            yield Finding("nb_r06_twice", cell, {"id": bet})
        seen.add(bet)
        for key in ("value", "unit", "confidence"):
            if not _is_literal(keyword(call, key)):
                yield Finding("nb_r06_key", cell, {"id": bet or "-", "key": key})
        if not any(line > cell.line for line in waited.get(bet, ())):
            yield Finding("nb_r06_free", cell, {"id": bet or "-"})
    for cell in subject.tagged("predict"):
        if not any(name == "wb.bet" for _, name, _ in calls([cell])):
            yield Finding("nb_r06_empty", cell)
    yield from _first_runs(subject)


def r07(subject: Subject) -> Iterator[Finding]:
    """At least two sentences of the deck are measured, in one fixed layout."""
    pattern = re.compile(rf"L{subject.source.number}\.M[1-9]\d?")
    count = 0
    for cell, name, call in calls(subject.code):
        if name != "wb.myth":
            continue
        count += 1
        if "myth" not in cell.tags:
            yield Finding("nb_r07_place", cell)
        if not pattern.fullmatch(first_text(call)):
            yield Finding("nb_r07_id", cell, {"id": first_text(call) or "-", "number": subject.source.number})
        sentence = text_of(keyword(call, "sentence")) or ""
        if not re.fullmatch(r"«.+»", sentence, re.DOTALL):
            yield Finding("nb_r07_sentence", cell)
        verdict = keyword(call, "verdict")
        if verdict is None or (isinstance(verdict, ast.Constant) and verdict.value not in VERDICTS):
            yield Finding("nb_r07_verdict", cell)
        if not both_languages(keyword(call, "condition")):
            yield Finding("nb_r07_condition", cell)
        if keyword(call, "measured") is None:
            yield Finding("nb_r07_measured", cell)
    for cell in subject.tagged("myth"):
        if cell.kind == "code" and not any(name == "wb.myth" for _, name, _ in calls([cell])):
            yield Finding("nb_r07_empty", cell)
    if count < MYTHS:
        yield Finding("nb_r07_count", facts={"found": count, "least": MYTHS})


def r13(subject: Subject) -> Iterator[Finding]:
    """Times come from `wb.measure`, warmed up and repeated; prose compares ratios."""
    for cell, module in imported(subject.code):
        if module in ("time", "timeit"):
            yield Finding("nb_r13_clock", cell, {"found": module})
    for cell in subject.code:
        if re.search(r"^\s*%%?time", cell.code, re.MULTILINE):
            yield Finding("nb_r13_clock", cell, {"found": "%timeit"})
    for cell, name, call in calls(subject.code):
        if name == "wb.measure":
            for keys, least in ((("warmup", "warm_up"), WARM_UP), (("repeats", "n_repeats"), REPEATS)):
                given = [value for key in keys if isinstance(value := keyword(call, key), ast.Constant)]
                if any(isinstance(value.value, int) and value.value < least for value in given):
                    yield Finding("nb_r13_few", cell, {"key": keys[0], "least": least})
    for cell in subject.markdown:
        for lang in LANGS:
            if match := _SPEED.search(_QUOTED.sub(" ", prose(cell.texts[lang]))):
                yield Finding("nb_r13_absolute", cell, {"found": match.group(0)}, lang)


def r14(subject: Subject) -> Iterator[Finding]:
    """Some cells print facts that never change, and only those are compared."""
    stable = [cell for cell in subject.code if cell.stable]
    if not stable:
        yield Finding("nb_r14_none")
    for cell in stable:
        names = {name for _, name, _ in calls([cell])}
        if names & {"wb.measure", "wb.myth", "wb.bet", "wb.check", "wb.figure"} or "slow" in cell.tags:
            yield Finding("nb_r14_unstable", cell)
        elif "print" not in names:
            yield Finding("nb_r14_silent", cell)
    for cell in subject.source.cells:
        if cell.stable and cell.kind == "markdown":
            yield Finding("nb_r14_silent", cell)


def both_languages(node: ast.expr | None) -> bool:
    """Whether an argument is `{"en": ..., "fr": ...}`, neither of them empty."""
    if not isinstance(node, ast.Dict):
        return False
    found = {text_of(key): value for key, value in zip(node.keys, node.values, strict=True) if key is not None}
    return set(found) == {"en", "fr"} and all(text_of(value) != "" for value in found.values())


def _waited_for(cells: tuple[Cell, ...]) -> dict[str, list[int]]:
    """The lines of the cells that wait for each bet."""
    found: dict[str, list[int]] = {}
    for cell, name, call in calls(cells):
        if bet := _waits(name, call):
            found.setdefault(bet, []).append(cell.line)
    return found


def _waits(name: str, call: ast.Call) -> str:
    if name == "wb.require":
        return first_text(call)
    return (text_of(keyword(call, "bet")) or "") if name in ("wb.measure", "wb.myth") else ""


def _first_runs(subject: Subject) -> Iterator[Finding]:
    """After the bets of a section, the first cell that shows something waits for one of them."""
    for section in subject.sections():
        made = False
        for cell in section.cells:
            made = made or "predict" in cell.tags
            if made and {"demo", "myth"} & set(cell.tags) and cell.kind == "code":
                if not any(_waits(name, call) for _, name, call in calls([cell])):
                    yield Finding("nb_r06_early", cell)
                break


def _is_literal(node: ast.expr | None) -> bool:
    try:
        return node is not None and ast.literal_eval(node) is not None
    except ValueError:
        return False
