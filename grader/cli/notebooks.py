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
    """Make the notebooks in English and French from their sources (default: all of them)."""
    from grader.notebooks import build as building

    settings = session.settings()
    sources = read_sources(settings, names)
    folder = Path(solutions) if solutions else settings.home / "notebooks"
    act = building.stale if check else building.build
    changed = [path for source in sources for path in act(source, folder, "solution" if solutions else "student")]
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


def read_sources(settings: Settings, names: tuple[str, ...]) -> list[Source]:
    """The sources that the user means, all of them where none is named. Raises `LabError`."""
    from grader.notebooks.source import find_source, list_sources, read_source

    folder = settings.home / "notebooks" / "source"
    paths = [find_source(name, folder) for name in names] if names else list_sources(folder)
    if not paths:
        raise LabError("nb_none", folder=shown(folder))
    return [read_source(path) for path in paths]
