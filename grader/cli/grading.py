"""`run`, `start`, `show` and `regrade`: one submission, from the empty folder to the report."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cli.session import Session, Settings, emit, find, lang_option, shown
from grader.cli.site import ENGINES, SEEDS, engine_help, open_site, require_held
from grader.errors import LabError

if TYPE_CHECKING:
    from grader.pipeline import Graded
    from grader.records import Evidence, Lab, Report
    from grader.store import Run

FORMATS = ("text", "json", "junit", "html", "markdown")

format_option = click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="How the report is shown."
)
verbose_option = click.option("-v", "--verbose", is_flag=True, help="All the hints, not only the first of each.")


@click.command()
@click.argument("lab")
@click.argument("submission", required=False)
@format_option
@lang_option
@click.option(
    "--engine", type=click.Choice(ENGINES), default="auto", show_default=True, help="What runs student images."
)
@click.option("--only", metavar="ITEM", help="Judge one item of the rubric and what it needs.")
@click.option(
    "--exercise", "--only-exercise", metavar="NAME", help="Judge the items of one exercise of a notebook, run no more."
)
@click.option("--seed", type=click.IntRange(0), help="Repeat the random choices of an earlier run.")
@click.option("--fresh", is_flag=True, help="Grade again even where the same submission has a result.")
@click.option("--keep", is_flag=True, help="Keep the working folder.")
@click.option("--no-cache", is_flag=True, help="Build every layer anew, for exams.")
@verbose_option
@click.pass_obj
def run(
    session: Session, lab: str, submission: str | None, form: str, engine: str, only: str | None,
    exercise: str | None, seed: int | None, fresh: bool, keep: bool, no_cache: bool, verbose: bool,
) -> int:  # fmt: skip
    """Grade SUBMISSION (a folder or an archive) for LAB (05, 05-docker, labs/05 or a path).

    Without SUBMISSION, your own work folder is graded: the one that `grader start LAB` made.
    """
    import secrets

    from grader.lab import asked_items
    from grader.pipeline import Options, grade
    from grader.records import Submission
    from grader.render.progress import Progress
    from grader.reporting import exit_code

    settings = session.settings()
    loaded = find(lab, settings)
    asked_items(loaded, only, exercise)  # before anything runs: an unknown name is a slip of the keyboard
    source = find_submission(loaded, submission, settings)
    seed = secrets.randbelow(SEEDS) if seed is None else seed
    options = Options(seed, session.lang, only, fresh, keep, no_cache, exercise)
    own = Path(source).resolve() == work_folder(loaded, settings).resolve()
    with Progress(session.lang) as progress, open_site(session, settings, engine, progress, loaded, own) as site:
        if not own:
            require_held(session, site)
        graded = grade(loaded, Submission(source=source), site, options)
    show_report(session, loaded, graded.report, graded.run, form, verbose)
    add_notes(session, graded, engine, form, settings.runs / "work" / graded.run.id if keep else None)
    return exit_code(graded.report)


@click.command()
@click.argument("lab")
@click.argument("folder", required=False)
@lang_option
@click.pass_obj
def start(session: Session, lab: str, folder: str | None) -> None:
    """Copy what LAB gives you into FOLDER (default: work/NN-slug), never over a file of yours."""
    from grader.lab_runs import student_files

    settings = session.settings()
    loaded = find(lab, settings)
    target = Path(folder) if folder else work_folder(loaded, settings)
    if not (files := student_files(loaded, session.lang)):
        raise LabError("no_starter", path=str(Path(loaded.root) / "starter"))
    copied, kept = copy_files(files, target)
    session.put("cli_started", copied=len(copied), folder=shown(target.absolute()))
    if kept:
        session.put("cli_kept", kept=len(kept), files=", ".join(kept[:5]) + (" …" if len(kept) > 5 else ""))
    readme = Path(loaded.root) / ("README.fr.md" if session.lang == "fr" else "README.md")
    if readme.is_file():
        session.put("cli_read_first", path=shown(readme))
    session.put("cli_next", command=shlex.join(["grader", "run", lab, *([folder] if folder else [])]))


@click.command()
@click.argument("run", required=False)
@format_option
@lang_option
@verbose_option
@click.pass_obj
def show(session: Session, run: str | None, form: str, verbose: bool) -> None:
    """Show the report of RUN (an id, the beginning of one, a path; default: the latest one finished)."""
    from grader.reporting import worded
    from grader.store import Store

    settings = session.settings()
    store = Store(settings.runs)
    # Not one that still runs, or that was interrupted: whoever wants to see that names it.
    finished = next((one for one in store.list() if not one.interrupted), None) if run is None else None
    found = finished or store.find(run)
    report = found.read_report()
    lab = find(report.lab, settings)
    if {item.id for item in report.items} <= {item.id for item in lab.items}:
        report = worded(report, lab, session.lang)  # else the lab has changed since, and the stored words stand
    show_report(session, lab, report, found, form, verbose)


@click.command()
@click.argument("run")
@lang_option
@click.pass_obj
def regrade(session: Session, run: str) -> int:
    """Judge the stored evidence of RUN again with the lab's checks of today; starts nothing."""
    from grader import pipeline
    from grader.reporting import exit_code
    from grader.store import Store

    settings = session.settings()
    store = Store(settings.runs)
    earlier = store.find(run)
    before = earlier.read_report()
    if not (earlier.path / "verdicts.json").is_file():
        raise LabError("regrade_unjudged", run=earlier.id)
    lab = find(before.lab, settings)
    site = pipeline.Site(settings.home, settings.cache, store, None, None, lambda step, detail: None)
    after = pipeline.regrade(earlier, lab, site, session.lang)
    session.put("cli_regraded", old=before.score, new=after.report.score, most=after.report.max_score)
    put_changes(session, before, after.report)
    session.put("cli_regraded_run", run=after.run.id)
    return exit_code(after.report)


def work_folder(lab: Lab, settings: Settings) -> Path:
    return settings.home / "work" / lab.id


def find_submission(lab: Lab, argument: str | None, settings: Settings) -> str:
    """What to grade, there and readable. Raises `LabError` with what to type."""
    if argument is None:
        folder = work_folder(lab, settings)
        if not folder.is_dir():
            raise LabError("no_work", path=shown(folder), lab=lab.id, command=f"grader start {lab.id}")
        return str(folder)
    if "\0" in argument or not os.path.lexists(argument):
        raise LabError("submission_missing", path=argument)
    if not os.access(argument, os.R_OK):
        raise LabError("submission_unreadable", path=argument, detail=os.strerror(errno.EACCES))
    return argument


def copy_files(files: Mapping[str, Path], target: Path) -> tuple[list[str], list[str]]:
    """`files` laid into `target` under their names: (those copied, those that were there and stay as they are)."""
    from grader.durable import disk_trouble

    copied: list[str] = []
    kept: list[str] = []
    for name, file in sorted(files.items()):
        try:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            with open(target / name, "xb") as copy:
                copy.write(file.read_bytes())
        except FileExistsError:
            if (target / name).parent.is_dir():
                kept.append(name)
                continue
            raise LabError("start_not_folder", path=str((target / name).parent)) from None
        except NotADirectoryError:
            raise LabError("start_not_folder", path=str((target / name).parent)) from None
        except OSError as error:
            raise disk_trouble(error, target / name) from error
        copied.append(name)
    return copied, kept


def show_report(session: Session, lab: Lab, report: Report, run: Run, form: str, verbose: bool) -> None:
    """The report on standard output, and nothing else there."""
    from shutil import get_terminal_size

    from grader.render import FORMATS, Reader

    width = max(60, min(get_terminal_size((80, 24)).columns, 110))
    evidence = evidence_of(run) if form == "html" else None
    reader = Reader(lab, session.lang, evidence, run.path, verbose, session.colour(), width)
    text = FORMATS[form](report, reader)
    if form == "text":
        click.echo(text, nl=False, color=session.colour())
    else:
        emit(text)


def evidence_of(run: Run) -> Evidence | None:
    """What was measured, None for a submission that never got that far."""
    return run.read_evidence() if (run.path / "evidence.json").is_file() else None


def add_notes(session: Session, graded: Graded, engine: str, form: str, kept: Path | None) -> None:
    """What the report itself cannot know: an earlier answer, a missing engine, a folder that was kept."""
    tell = session.put if form == "text" else session.note
    if graded.reused:
        tell("cli_reused", run=graded.run.id)
    skipped = [item.id for item in graded.report.items if item.cause in ("no_engine", "need_skipped")]
    if graded.report.engine == "local":
        tell("cli_no_boundary")
    if skipped and graded.report.engine is None:
        tell("cli_without_engine", items=", ".join(skipped), how=engine_help(session, engine))
    if kept is not None and kept.is_dir():
        tell("cli_work_kept", path=str(kept))


def put_changes(session: Session, before: Report, after: Report) -> None:
    """One line for each item that is judged otherwise now."""
    old = {item.id: item for item in before.items}
    for item in after.items:
        was = old.get(item.id)
        if was is None or (was.outcome, was.points) != (item.outcome, item.points):
            session.put("cli_changed", item=item.id, old=was.points if was else None, new=item.points,
                        was=session.say(f"outcome_{was.outcome}") if was else "-",
                        now=session.say(f"outcome_{item.outcome}"))  # fmt: skip
