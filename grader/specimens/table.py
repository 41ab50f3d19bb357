"""A proof as people read it: in the terminal, in Markdown, and as lines while it goes on."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from grader.records import Lang, Outcome
from grader.render.figures import number, seconds
from grader.render.inert import inert
from grader.specimens.matrix import Matrix, Row, State, Tick
from grader.words import say

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

SIGNS: dict[Outcome, str] = {"passed": ".", "failed": "X", "partial": "~", "blocked": "b", "skipped": "s", "error": "E"}
_STATES: dict[State, tuple[str, str]] = {"held": ("✓", "green"), "broken": ("✗", "red"), "unproved": ("?", "magenta")}


def render_matrix(matrix: Matrix, lang: Lang, *, colour: bool = False, width: int = 100) -> str:
    """The table of a proof, what differs beneath it, and whether the law holds."""
    from rich.console import Console

    page = io.StringIO()
    console = Console(
        file=page, width=width, force_terminal=colour, color_system="standard" if colour else None,
        no_color=not colour, legacy_windows=False, highlight=False, markup=False, emoji=False, _environ={},
    )  # fmt: skip
    console.print(_table(matrix, lang))
    console.print()
    console.print("  ".join(f"{place}={item}" for place, item in enumerate(matrix.items, 1)), style="dim")
    console.print(say("law_legend", lang, {}), style="dim")
    for heading, lines, state in _explained(matrix, lang):
        sign, style = _STATES[state]
        console.print(f"\n{sign} {heading}", style=style)
        for line in lines:
            console.print(f"    {line}")
    console.print(f"\n{_verdict(matrix, lang)}", style=f"bold {_STATES[matrix.state][1]}")
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()) + "\n"


def render_markdown(matrix: Matrix, lang: Lang) -> str:
    """The same as a page of its own."""
    heads = [say("law_specimen", lang, {}), *matrix.items, say("law_points", lang, {}), ""]
    lines = [f"# {say('law_title', lang, {'lab': matrix.lab})}", "", _verdict(matrix, lang), ""]
    lines += [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in matrix.rows:
        cells = [row.name, *_signs(matrix, row), _score(row, lang), _STATES[row.state][0]]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", say("law_legend", lang, {})]
    for heading, told, state in _explained(matrix, lang):
        lines += ["", f"- {_STATES[state][0]} {heading}", *(f"  - {_escaped(line)}" for line in told)]
    facts = {"grader": matrix.grader, "engine": matrix.engine, "base": matrix.base, "digest": matrix.lab_digest}
    return "\n".join([*lines, "", say("law_made_with", lang, facts), ""])


def render_tick(tick: Tick, lang: Lang) -> str:
    """What to write when a specimen begins (no line end) and when it ends (the rest of that line)."""
    if tick.row is None:
        return f"{tick.number:>3}/{tick.total}  {tick.name:<34}"
    row = tick.row
    how = "" if row.how == "ran" else f"  {say(f'law_{row.how}', lang, {})}"
    return f"{_STATES[row.state][0]} {_score(row, lang):>5}  {seconds(row.seconds, lang)}{how}\n"


def _table(matrix: Matrix, lang: Lang) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column(say("law_specimen", lang, {}), overflow="fold")
    for place in range(1, len(matrix.items) + 1):
        table.add_column(str(place), justify="right", no_wrap=True)
    table.add_column(say("law_points", lang, {}), justify="right", no_wrap=True)
    for row in matrix.rows:
        sign, style = _STATES[row.state]
        table.add_row(Text(sign, style=style), Text(row.name), *_cells(matrix, row), Text(_score(row, lang)))
    return table


def _cells(matrix: Matrix, row: Row) -> Iterator[Text]:
    """The signs of a row: red where they should not be, plain where they are as expected."""
    from rich.text import Text

    wrong = {finding.facts.get("item") for finding in row.findings}
    for item, sign in zip(matrix.items, _signs(matrix, row), strict=True):
        yield Text(sign, style="bold red" if item in wrong else "dim" if sign == "." else "bold")


def _signs(matrix: Matrix, row: Row) -> list[str]:
    return [SIGNS[row.outcomes[item]] if item in row.outcomes else " " for item in matrix.items]


def _score(row: Row, lang: Lang) -> str:
    return "–" if row.score is None else number(row.score, lang)


def _explained(matrix: Matrix, lang: Lang) -> Iterator[tuple[str, list[str], State]]:
    """(heading, sentences, state) of each row that differs, then of what no specimen proves."""
    for row in matrix.rows:
        if row.findings:
            heading = say("law_row", lang, {"name": row.name, "run": row.run})
            yield heading, [inert(finding.told(lang)) for finding in row.findings], row.state
    if matrix.gaps:
        yield say("law_gaps", lang, {}), [finding.told(lang) for finding in matrix.gaps], "broken"


def _verdict(matrix: Matrix, lang: Lang) -> str:
    states = [row.state for row in matrix.rows]
    facts = {
        "specimens": len(matrix.rows), "items": len(matrix.items), "broken": states.count("broken"),
        "unproved": states.count("unproved"), "gaps": len(matrix.gaps), "time": seconds(matrix.seconds, lang),
    }  # fmt: skip
    partly = "_selection" if matrix.only is not None else ""
    return say(f"law_{matrix.state}{partly}", lang, facts)


def _escaped(line: str) -> str:
    return line.replace("|", "\\|").replace("<", "&lt;")
