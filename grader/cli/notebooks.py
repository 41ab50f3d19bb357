"""`notebook build`, `notebook lint` and `notebook run`: for those who write notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cli.session import Session, Suggesting, lang_option, shown
from grader.errors import LabError

if TYPE_CHECKING:
    from grader.cli.session import Settings
    from grader.notebooks.source import Source

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


def read_sources(settings: Settings, names: tuple[str, ...]) -> list[Source]:
    """The sources that the user means, all of them where none is named. Raises `LabError`."""
    from grader.notebooks.source import find_source, list_sources, read_source

    folder = settings.home / "notebooks" / "source"
    paths = [find_source(name, folder) for name in names] if names else list_sources(folder)
    if not paths:
        raise LabError("nb_none", folder=shown(folder))
    return [read_source(path) for path in paths]
