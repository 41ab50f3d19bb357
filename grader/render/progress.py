"""What the reader sees while a run lasts: the step under way and the time it takes."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from grader.records import Lang
from grader.render.figures import seconds
from grader.render.inert import inert
from grader.words import say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

_STEPS = frozenset(
    ["stage", "plan", "build", "start", "measure", "rebuild", "execute", "examine", "model", "judge", "store"]
)
_DETAIL_LIMIT = 200


class Progress:
    """Call it with a step and a detail; on a terminal it shows a spinner and the step's time, elsewhere nothing.

    It writes to standard error, so that `--format json` stays clean on standard output.
    """

    def __init__(self, lang: Lang = "en", console: Console | None = None) -> None:
        from rich.console import Console as NewConsole

        self._lang: Lang = lang
        self._console = console or NewConsole(stderr=True)
        self._bar: Bar | None = None
        self._step = ""
        self._began = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar = self._new_bar()
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is None:
            return
        if kind is None:
            self._finish()
        self._bar.stop()
        self._bar = None

    def __call__(self, step: str, detail: str = "") -> None:
        if self._bar is None:
            return
        if step != self._step:
            self._finish()
            self._step, self._began = step, time.monotonic()
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(self._name(), detail="")
        self._bar.update(self._bar.task_ids[-1], detail=inert(detail, limit=_DETAIL_LIMIT))

    def _new_bar(self) -> Bar:
        from rich.progress import Progress as NewBar
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        return NewBar(
            SpinnerColumn("line"),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            console=self._console,
            transient=True,
        )

    def _finish(self) -> None:
        """Leave a line for the step that has just ended."""
        if self._bar is None or not self._step:
            return
        from rich.text import Text

        took = seconds(time.monotonic() - self._began, self._lang)
        self._bar.console.print(Text.assemble(("✓ ", "green"), f"{self._name()}  ", (took, "dim")))

    def _name(self) -> str:
        return say(f"render_step_{self._step}", self._lang, {}) if self._step in _STEPS else inert(self._step)
