"""A checkout of its own for every test, work to hand in, and the command line to ask: here, or as a process."""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader import cli

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "fixtures" / "labs" / "90-tiny"
START = [sys.executable, "-c", "from grader.cli import main; main()"]
NO_ENGINE = "unix:///nonexistent"

Ask = Callable[..., tuple[int, str, str]]

# docker-py forgets the socket that could not connect.
FORGOTTEN_SOCKET = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout with one lab, no engine, and nothing of this machine's settings."""
    home = tmp_path / "home"
    shutil.copytree(TINY, home / "labs" / "90-tiny", ignore=shutil.ignore_patterns("__pycache__"))
    starter = home / "labs" / "90-tiny" / "starter"
    (starter / "app").mkdir(parents=True)
    (starter / "Dockerfile").write_text("FROM python:3.11-slim\n")
    (starter / "app" / "main.py").write_text("print('starter')\n")
    (home / "pyproject.toml").write_text("")
    broken = home / "labs" / "91-broken"
    broken.mkdir()
    (broken / "lab.toml").write_text('id = "91-broken"\nkind =\n')
    for name in ("GRADER_HOME", "GRADER_RUNS", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    monkeypatch.chdir(home)
    yield home
    gc.collect()  # sockets that were forgotten here are not another test's trouble


@pytest.fixture
def submission(home: Path) -> Path:
    folder = home.parent / "submission"
    folder.mkdir()
    (folder / "Dockerfile").write_text('FROM python:3.11-slim\nCMD ["python"]\n')
    return folder


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Ask:
    """(exit code, standard output, standard error) of a command line, run in this process."""

    def ask(*arguments: str | Path) -> tuple[int, str, str]:
        status = cli.invoke([str(argument) for argument in arguments], os.environ)
        out, err = capfd.readouterr()
        return status, out, err

    return ask


def assert_words(err: str) -> None:
    """One sentence or two, whole, on one line, with nothing of our insides."""
    assert err.count("\n") == 1
    assert len(err) > 20
    assert "Traceback" not in err
    assert "\x1b" not in err, "colours belong on a terminal"
    assert not re.search(r"\{[a-z_]+\}", err), "a fact is missing from the sentence"


def start(*arguments: str | bytes, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*START, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
