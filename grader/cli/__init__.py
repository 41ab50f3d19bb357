"""The command line. `main` is the console script; each command lives in a module of its own subject.

Only click is imported before a command runs: `grader --help` answers at once.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence

import click

from grader import __version__
from grader.cli.grading import regrade, run, show, start
from grader.cli.guard import guarded
from grader.cli.images import images as images_group
from grader.cli.labs import lab
from grader.cli.machine import doctor
from grader.cli.notebooks import notebook
from grader.cli.runs import runs as runs_group
from grader.cli.session import Session, Suggesting, asked_lang

EPILOG = """\b
Exit codes:
  0    nothing failed
  1    something failed: points were lost
  2    wrong use, or a broken lab
  3    the submission was rejected: it breaks a named rule
  4    ours: the engine, the machine or the grader failed, no mark was given
  5    a person has to look at the submission
  130  interrupted (Ctrl-C)
  141  whoever read the output stopped reading

\b
Environment:
  GRADER_HOME    the checkout to use (default: the nearest parent folder with labs/ and pyproject.toml)
  GRADER_RUNS    where results are kept (default: runs/ in the checkout)
  DOCKER_HOST    the container engine (default: unix:///var/run/docker.sock)
  LC_ALL, LANG   the language of all sentences: French when it begins with "fr"
  NO_COLOR       no colours
"""


@click.group(cls=Suggesting, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="grader")
def cli() -> None:
    """Build, run and measure what students hand in, and say what to fix."""


for command in (run, start, show, regrade, runs_group, lab, notebook, images_group, doctor):
    cli.add_command(command)


def main() -> None:
    """The console script `grader`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no ✓ shows a ?, and the mark all the same
    sys.exit(invoke(sys.argv[1:], os.environ))


def invoke(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit code of one command line; every error has been said in words."""
    session = Session(environ, asked_lang(arguments, environ))

    def act() -> int:
        with cli.make_context("grader", list(arguments), obj=session) as context:
            return cli.invoke(context) or 0

    return guarded(act, session)
