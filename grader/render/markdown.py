r"""The report as Markdown, to be pasted where people talk about it.

Text is escaped, and what a renderer might make a link, a mention or an emoji of is set as code, so that a report in a
discussion points nowhere and calls nobody. Every piece stands on one line: no text can begin a block of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from grader.records import Lab, Lang, Report, ReportItem
from grader.render.figures import number
from grader.render.inert import capped, one_line
from grader.render.outcomes import SIGNS, grouped, public_tally, summary, titles, won
from grader.words import say

_SPECIAL = re.compile(r"[\\`*_\[\]<>&~$]")
_BEGINS_A_BLOCK = re.compile(r"([-+=#]|\d+(?=[.)]))")
# An address, a mention, the number of an issue, an emoji's name, a host: what renderers link without being asked.
_LINKED = re.compile(r"[@#]|:[^\s:]|www\.|[^\W\d]\.[^\W\d]", re.IGNORECASE)


def render_markdown(report: Report, lab: Lab, lang: Lang, *, verbose: bool = False) -> str:
    """The score, the table of items, then the cause and the next step of each lost point; `verbose` for all hints."""
    return capped("\n".join(_blocks(report, lab, lang, verbose)))


def plain(text: str) -> str:
    """`text` on one line, showing exactly its letters; what stands between backticks is set as code."""
    pieces = one_line(text).split("`")
    if len(pieces) % 2 == 0 or not all(pieces[1::2]):
        pieces = ["`".join(pieces)]
    shown = "".join(code(piece) if index % 2 else _escaped(piece) for index, piece in enumerate(pieces))
    return _BEGINS_A_BLOCK.sub(_held, shown, count=1) if _BEGINS_A_BLOCK.match(shown) else shown


def code(text: str) -> str:
    """`text` as a code span on one line, its fence longer than any run of backticks inside."""
    line = one_line(text)
    if not line:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    edge = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{edge}{line}{edge}{fence}"


def cell(text: str) -> str:
    """Markdown made to stand in a table: renderers disagree on how a bar in a code span is escaped."""
    return text.replace("|", r"\u{7c}")


def _held(marker: re.Match[str]) -> str:
    """A marker of a block as plain letters; after a number it is the following dot that makes it one."""
    return f"{marker[0]}\\" if marker[0].isdigit() else f"\\{marker[0]}"


def _escaped(text: str) -> str:
    words = (code(word) if _LINKED.search(word) else _SPECIAL.sub(r"\\\g<0>", word) for word in text.split(" "))
    return " ".join(words)


def _blocks(report: Report, lab: Lab, lang: Lang, verbose: bool) -> Iterator[str]:
    names = titles(lab, lang)
    yield f"# {plain(lab.title.in_(lang))} ({code(report.lab)})\n"
    yield f"{code(report.submission.source)}\n"
    yield f"**{_mark(report, lang)}**\n"
    for sentence in summary(report, lang):
        yield f"{plain(sentence)}\n"
    if report.rejection is not None:
        yield f"## {say('render_section_rejected', lang, {})}\n"
        yield f"✗ {code(report.rejection.rule)}\n"
        yield f"{plain(report.rejection.message)}\n"
    if report.items:
        yield from _table(report, names, lang)
    groups = grouped(report)
    yield from _section("fix", groups.fix, names, lang, verbose)
    if groups.blocked:
        yield f"## {say('render_section_blocked', lang, {})}\n"
        yield ", ".join(code(item.id) for item in groups.blocked) + "\n"
    yield from _section("ours", groups.ours, names, lang, verbose)
    yield from _section("skipped", groups.skipped, names, lang, verbose)
    yield from _section("remarks", groups.remarks, names, lang, verbose)


def _mark(report: Report, lang: Lang) -> str:
    if report.score is not None:
        mark = f"{number(report.score, lang)} / {number(report.max_score, lang)}"
        return f"{mark} ({say('render_mark_provisional', lang, {})})" if report.provisional else mark
    if report.status == "graded":
        passed, total = public_tally(report)
        return say("public_only", lang, {"passed": passed, "total": total})
    return say(f"status_{report.status}", lang, {})


def _table(report: Report, names: dict[str, str], lang: Lang) -> Iterator[str]:
    head = (say(f"render_column_{name}", lang, {}) for name in ("item", "title", "outcome", "points"))
    yield f"|  | {' | '.join(head)} |"
    yield "| --- | --- | --- | --- | ---: |"
    for item in report.items:
        outcome = say(f"outcome_{item.outcome}", lang, {})
        cells = (SIGNS[item.outcome], code(item.id), plain(names.get(item.id, "")), outcome, _points(item, lang))
        yield f"| {' | '.join(map(cell, cells))} |"
    yield ""


def _section(name: str, items: Iterable[ReportItem], names: dict[str, str], lang: Lang, verbose: bool) -> Iterator[str]:
    items = tuple(items)
    if items:
        yield f"## {say(f'render_section_{name}', lang, {})}\n"
    for item in items:
        title = plain(names[item.id]) if item.id in names else code(item.id)
        yield f"### {SIGNS[item.outcome]} {title} ({_points(item, lang)})\n"
        if item.message:
            yield f"{plain(item.message)}\n"
        for step, hint in enumerate(item.hints if verbose else item.hints[:1], start=1):
            label = say("render_next", lang, {}) if step == 1 else say("render_hint_step", lang, {"step": step})
            yield f"**{label}** {plain(hint)}\n"


def _points(item: ReportItem, lang: Lang) -> str:
    return f"{won(item, lang)} / {number(item.max_points, lang)}"
