"""Help, or a page of the documentation, that knows less or more than the command line does."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from grader import cli
from grader.errors import GraderError

from .conftest import FORGOTTEN_SOCKET, ROOT, Ask

pytestmark = FORGOTTEN_SOCKET


def test_help_lists_every_exit_code(ask: Ask) -> None:
    status, out, _ = ask("--help")
    listed = {int(code) for code in re.findall(r"^ +(\d+) {2,}\S", out, re.MULTILINE)}
    assert status == 0
    assert listed == {0, 1, 2, 3, 4, 5, 130, 141}
    assert listed >= {kind.exit_code for kind in [GraderError, *GraderError.__subclasses__()]}


def test_version_and_bare_call(ask: Ask) -> None:
    assert ask("--version")[:2] == (0, "grader, version 0.1.0\n")
    status, out, err = ask()
    assert (status, out, "Commands:" in err) == (2, "", True)


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(cli.cli, "grader"))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_the_command_line_knows_every_command_and_option(name: str) -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    section = re.search(rf"^### `{name}\b[^\n]*\n(.*?)(?=^##)", page, re.MULTILINE | re.DOTALL)
    assert section, f"{name} has no section"
    for param in COMMANDS[name].params:
        names = param.opts if isinstance(param, click.Option) else [param.human_readable_name]
        for option in names:
            assert option in section.group(0), f"{option} of {name} is not explained"
    explained = set(re.findall(r"`(-[-a-z]+)", section.group(1)))
    assert explained <= {option for param in COMMANDS[name].params for option in param.opts}, "an option of the past"


def test_the_page_lists_the_environment_and_the_exit_codes(ask: Ask) -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    out = ask("--help")[1]
    for code in re.findall(r"^ +(\d+) {2,}\S", out, re.MULTILINE):
        assert f"| {code} |" in page
    for variable in re.findall(r"\b[A-Z]+_?[A-Z]+\b", out.partition("Environment:")[2]):
        assert f"`{variable}`" in page


def test_the_formats_are_those_that_can_be_rendered() -> None:
    from grader.cli.grading import FORMATS
    from grader.render import FORMATS as VIEWS

    assert set(FORMATS) == set(VIEWS)
