"""`runs list` and `runs prune`: the results that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grader.cli.session import Session, Suggesting, lang_option
from grader.errors import LabError

if TYPE_CHECKING:
    from grader.store import Run


@click.group(cls=Suggesting)
def runs() -> None:
    """The results that are kept on this machine."""


@runs.command("list")
@lang_option
@click.pass_obj
def list_runs(session: Session) -> None:
    """List every run, newest first."""
    from grader.store import Store

    settings = session.settings()
    found = Store(settings.runs).list()
    if not found:
        raise LabError("no_runs", root=str(settings.runs))
    for run in found:
        click.echo("  ".join(row(session, run)).rstrip())


@runs.command()
@click.option("--keep", type=click.IntRange(0), required=True, metavar="N", help="How many runs of each lab stay.")
@lang_option
@click.pass_obj
def prune(session: Session, keep: int) -> None:
    """Remove all but the newest N runs of each lab; never one that still runs."""
    from grader.store import Store

    removed = Store(session.settings().runs).prune(keep)
    session.put("cli_pruned", count=len(removed))


def row(session: Session, run: Run) -> tuple[str, ...]:
    """The columns of one run: id, lab, mark or status, what was graded."""
    from grader.render.figures import number
    from grader.render.inert import inert

    try:
        report = run.read_report()
    except LabError as error:
        word = "run_interrupted" if error.code == "run_incomplete" else "cli_run_damaged"
        return run.id, f"{inert(run.lab):12}", session.say(word)
    if report.score is None:
        mark = session.say(f"status_{report.status}")
    else:
        mark = f"{number(report.score, session.lang)} / {number(report.max_score, session.lang)}"
    mark += " *" if report.provisional else ""
    return run.id, f"{inert(run.lab):12}", f"{mark:>12}", inert(report.submission.source)
