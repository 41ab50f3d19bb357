"""What every command stands on: where the checkout is, in which language to speak, how to print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from grader.errors import Fact, LabError

if TYPE_CHECKING:
    from grader.records import Lab, Lang

Command = TypeVar("Command", bound=Callable[..., Any])
LANGS = ("en", "fr")


@dataclass(frozen=True)
class Settings:
    """The checkout, and where results and images' parts are kept."""

    home: Path
    runs: Path
    cache: Path

    @property
    def labs(self) -> Path:
        return self.home / "labs"


@dataclass(frozen=True)
class Session:
    """One invocation: its environment and the reader's language."""

    environ: Mapping[str, str]
    lang: Lang

    def settings(self) -> Settings:
        """Raises `LabError` where no checkout is found."""
        home = find_home(self.environ)
        return Settings(home, Path(self.environ.get("GRADER_RUNS") or home / "runs").absolute(), home / ".cache")

    def say(self, code: str, **facts: Fact) -> str:
        """The sentence of `code` in the reader's language, as text that cannot act on a terminal."""
        from grader.render.inert import inert
        from grader.words import say

        return inert(say(code, self.lang, facts), lines=True)

    def put(self, code: str, **facts: Fact) -> None:
        """A sentence on standard output."""
        click.echo(self.say(code, **facts))

    def note(self, code: str, **facts: Fact) -> None:
        """A sentence on standard error, where it is in no other program's way."""
        click.echo(self.say(code, **facts), err=True)

    def colour(self) -> bool:
        """Whether standard output is a terminal that wants colours."""
        return sys.stdout.isatty() and not self.environ.get("NO_COLOR")


class Suggesting(click.Group):
    """A group of commands that answers an unknown one with the nearest it has."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from grader.lab import near_miss

            raise LabError(
                "unknown_command", name=args[0], near=near_miss(args[0], self.commands), command=ctx.command_path
            )
        return super().resolve_command(ctx, args)


def lang_option(command: Command) -> Command:
    """Adds `--lang`; its value is in the session before anything is parsed."""
    option = click.option(
        "--lang", type=click.Choice(LANGS), expose_value=False, help="Language of the sentences (default: from LANG)."
    )
    return option(command)


def asked_lang(arguments: Sequence[str], environ: Mapping[str, str]) -> Lang:
    """The language that `--lang` asks for, else the environment's; found without parsing, for errors of parsing too."""
    asked = [argument.partition("=")[2] for argument in arguments if argument.startswith("--lang=")]
    asked += [value for name, value in pairwise(arguments) if name == "--lang"]
    locale = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    wanted = asked[-1] if asked and asked[-1] in LANGS else locale
    return "fr" if wanted.lower().startswith("fr") else "en"


def find_home(environ: Mapping[str, str]) -> Path:
    """The checkout that GRADER_HOME names, else the nearest parent of the current folder that is one."""
    if named := environ.get("GRADER_HOME"):
        if not _is_checkout(Path(named)):
            raise LabError("home_wrong", path=named)
        return Path(named).resolve()
    try:
        here = Path.cwd()
    except FileNotFoundError as error:
        raise LabError("folder_gone") from error
    for folder in (here, *here.parents):
        if _is_checkout(folder):
            return folder
    raise LabError("no_home", path=str(here))


def find(argument: str, settings: Settings) -> Lab:
    """The lab that the user means, loaded. Raises `LabError`."""
    from grader.lab import find_lab, load_lab

    return load_lab(find_lab(argument, settings.labs))


def shown(path: Path) -> str:
    """The path as one types it here: relative when it lies below the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) and path != here else str(path)


def emit(text: str) -> None:
    """A whole document on standard output, in UTF-8 whatever the terminal's encoding: JSON, XML and HTML promise it."""
    click.echo(text.encode(), nl=False)


def _is_checkout(folder: Path) -> bool:
    return (folder / "labs").is_dir() and (folder / "pyproject.toml").is_file()
