"""The report in a terminal: the score, each item, what to fix and what to try next."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grader.errors import Fact
from grader.records import Lab, Lang, Outcome, Report, ReportItem
from grader.render.figures import number
from grader.render.inert import capped, inert
from grader.render.outcomes import SIGNS, grouped, public_tally, summary, titles, won
from grader.words import say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES: dict[Outcome, str] = {
    "passed": "green",
    "partial": "yellow",
    "failed": "red",
    "blocked": "dim",
    "skipped": "dim",
    "error": "magenta",
}
_STATUS_STYLES = {"graded": "", "rejected": "red", "review": "yellow", "infra": "magenta"}


def render_text(
    report: Report,
    lab: Lab,
    lang: Lang,
    *,
    run: Path | None = None,
    verbose: bool = False,
    colour: bool = False,
    width: int = 80,
) -> str:
    """The report as text, `width` columns wide; plain characters only unless `colour`.

    `run` is the run folder, named at the end with the page in it; `verbose` shows all the hints.
    """
    from rich.console import Console

    page = io.StringIO()
    console = Console(
        file=page,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    _View(report, lab, lang, console, verbose).write(run)
    text = "\n".join(line.rstrip() for line in page.getvalue().splitlines()) + "\n"
    return capped(text)


@dataclass(frozen=True)
class _View:
    """One report on one console. Foreign text goes through `put`, which takes it as letters and nothing else."""

    report: Report
    lab: Lab
    lang: Lang
    console: Console
    verbose: bool

    def write(self, run: Path | None) -> None:
        self._heading()
        self._whose()
        if self.report.items:
            self.console.print()
            self.console.print(self._table())
        self._explained()
        self._where(run)

    def say(self, code: str, **facts: Fact) -> str:
        return say(f"render_{code}", self.lang, facts)

    def put(self, *parts: tuple[str, str], indent: int = 0, whole: bool = False) -> None:
        """Print a paragraph of (text, style) parts; `whole` leaves a path on one line, to be copied."""
        from rich.padding import Padding
        from rich.text import Text

        text = Text.assemble(*((inert(part, lines=True), style) for part, style in parts), overflow="fold")
        if whole:
            self.console.print(Text(" " * indent) + text, soft_wrap=True)
        else:
            self.console.print(Padding(text, (0, 0, 0, indent)))

    def _heading(self) -> None:
        report = self.report
        self.put((f"{report.lab}  ", "bold"), (self.lab.title.in_(self.lang), ""))
        self.put((report.submission.source, "dim"), whole=True)
        self.console.print()
        if report.score is not None:
            score, most = number(report.score, self.lang), number(report.max_score, self.lang)
            self.put(
                (f"{score} / {most}", "bold"),
                (f"  {self.say('mark_provisional')}" if report.provisional else "", "yellow"),
            )
        elif report.status == "graded":
            passed, total = public_tally(report)
            self.put((say("public_only", self.lang, {"passed": passed, "total": total}), "bold"))
        else:
            self.put((say(f"status_{report.status}", self.lang, {}), f"bold {_STATUS_STYLES[report.status]}"))

    def _whose(self) -> None:
        for sentence in summary(self.report, self.lang):
            self.put((sentence, ""))
        rejection = self.report.rejection
        if rejection is not None:
            self.console.print()
            self.put((f"✗ {rejection.rule}", "bold red"))
            self.put((rejection.message, ""), indent=2)

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold")
        table.add_column("", no_wrap=True)
        table.add_column(self.say("column_item"), overflow="fold")
        table.add_column(self.say("column_title"), overflow="fold")
        table.add_column(self.say("column_outcome"), no_wrap=True)
        table.add_column(self.say("column_points"), justify="right", no_wrap=True)
        names = titles(self.lab, self.lang)
        for item in self.report.items:
            style = _STYLES[item.outcome]
            table.add_row(
                Text(SIGNS[item.outcome], style=style),
                Text(inert(item.id)),
                Text(inert(names.get(item.id, ""))),
                Text(say(f"outcome_{item.outcome}", self.lang, {}), style=style),
                Text(self._points(item)),
            )
        return table

    def _points(self, item: ReportItem) -> str:
        return f"{won(item, self.lang)} / {number(item.max_points, self.lang)}"

    def _explained(self) -> None:
        groups = grouped(self.report)
        self._section("fix", groups.fix)
        if groups.blocked:
            self._title("blocked")
            self.put((", ".join(item.id for item in groups.blocked), ""), indent=2)
        self._section("ours", groups.ours)
        self._section("skipped", [item for item in groups.skipped if item.cause != "need_skipped"])
        waiting = [item.id for item in groups.skipped if item.cause == "need_skipped"]
        if waiting:
            self._title("waiting")
            self.put((", ".join(waiting), ""), indent=2)
        self._section("remarks", groups.remarks)

    def _title(self, name: str) -> None:
        self.console.print()
        self.put((self.say(f"section_{name}"), "bold underline" if self.console.is_terminal else ""))

    def _section(self, name: str, items: Iterable[ReportItem]) -> None:
        items = tuple(items)
        if not items:
            return
        self._title(name)
        names = titles(self.lab, self.lang)
        for index, item in enumerate(items):
            if index:
                self.console.print()
            style = _STYLES[item.outcome]
            label = f"{item.id}: {names[item.id]}" if item.id in names else item.id
            self.put((f"{SIGNS[item.outcome]} {label}", f"bold {style}"), (f"  {self._points(item)}", ""))
            if item.message:
                self.put((item.message, ""), indent=4)
            self._hints(item)

    def _hints(self, item: ReportItem) -> None:
        shown = item.hints if self.verbose else item.hints[:1]
        for step, hint in enumerate(shown, start=1):
            label = self.say("next") if step == 1 else self.say("hint_step", step=step)
            self.put((f"{label}  ", "bold"), (hint, ""), indent=4)
        hidden = len(item.hints) - len(shown)
        if hidden and item.outcome != "passed":
            self.put((self.say("more_hints", count=hidden), "dim"), indent=4)

    def _where(self, run: Path | None) -> None:
        if run is None:
            return
        other = "en" if self.lang == "fr" else "fr"
        rows = (
            ("where_page", str(run / "report.html")),
            ("where_run", str(run)),
            ("where_hints", f"grader show {run.name} -v"),
            ("where_other", f"grader show {run.name} --lang {other}"),
        )
        labels = [self.say(code) for code, _ in rows]
        column = max(len(label) for label in labels) + 2
        self.console.print()
        for label, (_, value) in zip(labels, rows, strict=True):
            self.put((label.ljust(column), "dim"), (value, ""), whole=True)
