"""`notebook build`, `notebook lint` and `notebook run`: for those who write notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cli.session import Session, Suggesting, lang_option, shown
from grader.errors import Fact, LabError

if TYPE_CHECKING:
    from grader.cli.session import Settings
    from grader.notebooks.lint import Broken
    from grader.notebooks.running import Ran
    from grader.notebooks.source import Source
    from grader.records import Lab

DIFFERS = 1


@click.group(cls=Suggesting)
def notebook() -> None:
    """The notebooks: build them, check one against the rules, run one."""


@notebook.command()
@click.argument("names", metavar="[NOTEBOOK]...", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing: say which files are stale, exit 1 if one is.")
@click.option("--solutions", metavar="FOLDER", type=click.Path(), help="Write the solution versions, into FOLDER.")
@lang_option
@click.pass_obj
def build(session: Session, names: tuple[str, ...], check: bool, solutions: str | None) -> int:
    """Make the notebooks in English and French from their sources (default: all of them, and the glossary)."""
    from grader.notebooks import build as building
    from grader.notebooks.glossary import read_glossary, stale_pages, write_pages

    settings = session.settings()
    sources = read_sources(settings, names)
    folder = Path(solutions) if solutions else settings.home / "notebooks"
    act = building.stale if check else building.build
    changed = [path for source in sources for path in act(source, folder, "solution" if solutions else "student")]
    if not names and not solutions:
        words = read_glossary(settings.home / "notebooks" / "glossary.toml")
        changed += (stale_pages if check else write_pages)(words, settings.home) if words.entries else []
    strays = building.orphans(sources, folder) if not names and not solutions else []
    for path in changed:
        session.put("cli_nb_stale" if check else "cli_nb_written", path=shown(path))
    for path in strays:
        session.put("cli_nb_orphan", path=shown(path))
    session.put("cli_nb_built", sources=len(sources), changed=len(changed))
    return DIFFERS if strays or (check and changed) else 0


@notebook.command("lint")
@click.argument("names", metavar="[NOTEBOOK]...", nargs=-1)
@click.option("--rule", "rules", metavar="RULE", multiple=True, help="Only this rule, as R03; may be repeated.")
@lang_option
@click.pass_obj
def lint_notebooks(session: Session, names: tuple[str, ...], rules: tuple[str, ...]) -> int:
    """Say where a notebook (default: each of them) breaks a rule, and what to do about it. Exit 1 where one does."""
    from grader.lab import near_miss
    from grader.notebooks.lint import lint, subject_of
    from grader.notebooks.rules import RULES

    for rule in rules:
        if rule not in RULES:
            raise LabError("nb_no_rule", name=rule, near=near_miss(rule, RULES))
    settings = session.settings()
    total = 0
    for source in read_sources(settings, names):
        subject = subject_of(source.path, settings.home, lab_of(source, settings), settings.home / "notebooks")
        broken = lint(subject, rules)
        for one in broken:
            click.echo(worded(session, one))
        session.put("cli_nb_linted", name=source.name, count=len(broken))
        total += len(broken)
    return DIFFERS if total else 0


def worded(session: Session, one: Broken) -> str:
    """One break of a rule as a line: rule, place, what is wrong and what to do."""
    sentence = session.say(one.code, **one.facts)
    lang = f" ({one.lang})" if one.lang else ""
    if one.cell is None:
        return session.say("cli_nb_broken_whole", rule=one.rule, sentence=sentence)
    where: dict[str, Fact] = {"cell": one.cell, "line": one.line, "lang": lang, "first": one.first}
    return session.say("cli_nb_broken", rule=one.rule, sentence=sentence, **where)


def lab_of(source: Source, settings: Settings) -> Lab | None:
    """The lab that a notebook belongs to, None where there is none of its name. Raises `LabError`."""
    from grader.lab import load_lab

    folder = settings.labs / source.name
    return load_lab(folder) if (folder / "lab.toml").is_file() else None


@notebook.command("run")
@click.argument("name", metavar="NOTEBOOK")
@click.option("--solution", is_flag=True, help="Run the solution, which must raise nothing.")
@click.option("--fast", is_flag=True, help="Less data, fewer repeats.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The parameter `seed`.")
@click.option("--student", metavar="KEY", help="Take the seed of this student.")
@click.option("--seconds", type=click.IntRange(1), default=600, show_default=True, help="The outer clock.")
@click.option("--keep", metavar="FOLDER", type=click.Path(), help="Run in FOLDER, which must not exist, and keep it.")
@lang_option
@click.pass_obj
def run_one(
    session: Session, name: str, solution: bool, fast: bool, seed: int, student: str | None, seconds: int,
    keep: str | None,
) -> int:  # fmt: skip
    """Run NOTEBOOK from a fresh copy of what a student starts from; `--lang` also says which language's.

    The student's version may raise NotImplementedError, with the right id, in exercises; nothing else may raise.
    Exit 1 where something did, or where the run took more CPU time than it may.
    """
    from tempfile import TemporaryDirectory

    from grader.lab_runs import student_files
    from grader.notebooks.running import Order, run_notebook
    from grader.notebooks.students import student_seed

    if student is not None and not student.strip():
        raise LabError("nb_no_key")
    if keep and Path(keep).exists():
        raise LabError("nb_keep_exists", path=keep)
    settings = session.settings()
    (source,) = read_sources(settings, (name,))
    lab = lab_of(source, settings)
    files = student_files(lab, session.lang) if lab else {}
    seed = student_seed(student) if student else seed
    order = Order(source, session.lang, "solution" if solution else "student", fast, seed, seconds)
    with TemporaryDirectory(prefix="grader-notebook-") as scratch:
        folder = Path(keep).absolute() if keep else Path(scratch) / "run"
        ran = run_notebook(order, files, folder, settings.home)
    show_run(session, ran)
    return DIFFERS if ran.problem else 0


def show_run(session: Session, ran: Ran) -> None:
    """A line for each cell, then the sum, then what went wrong first."""
    from grader.render.inert import inert

    for cell in ran.cells:
        took = "-" if cell.seconds is None else f"{cell.seconds:.1f}"
        click.echo(f"{cell.number:4}  {took:>7} s  {cell.error or '':20}  {inert(cell.first)}")
    session.put("cli_nb_ran", seconds=ran.seconds, cpu=ran.cpu_seconds, cells=len(ran.cells))
    for name, verdict in ran.verdicts.items():
        click.echo(f"{name}  {inert(verdict)}")
    if ran.problem:
        code, facts = ran.problem
        session.put(code, **facts)


def read_sources(settings: Settings, names: tuple[str, ...]) -> list[Source]:
    """The sources that the user means, all of them where none is named. Raises `LabError`."""
    from grader.notebooks.source import find_source, list_sources, read_source

    folder = settings.home / "notebooks" / "source"
    paths = [find_source(name, folder) for name in names] if names else list_sources(folder)
    if not paths:
        raise LabError("nb_none", folder=shown(folder))
    return [read_source(path) for path in paths]
