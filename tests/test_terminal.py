"""A real terminal: whatever a student wrote, the bytes that reach it are letters and the grader's own colours."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from grader.cli.grading import FORMATS
from grader.records import Report
from grader.render.inert import inert
from grader.store import Store

from .render import factory
from .render.test_inert import active

ROOT = Path(__file__).resolve().parents[1]
START = (sys.executable, "-c", "from grader.cli import main; main()")
# What the grader asks of a terminal: bold, dim, underlined, six colours, and back to normal. No cursor, title or link.
OURS = re.compile(rb"\x1b\[(?:(?:0|1|2|4|31|32|33|35)(?:;(?:0|1|2|4|31|32|33|35))*)?m")


def terminal(*arguments: str, runs: Path) -> bytes:
    """All the bytes that a command sends to a terminal that knows colours."""
    master, slave = pty.openpty()
    environment = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "CI")}
    environment |= {"TERM": "xterm-256color", "GRADER_HOME": str(ROOT), "GRADER_RUNS": str(runs), "LANG": "C.UTF-8"}
    environment["PYTHONPATH"] = str(ROOT)
    process = subprocess.Popen(
        [*START, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment, close_fds=True
    )
    os.close(slave)
    said = bytearray()
    while True:
        try:
            said += (piece := os.read(master, 65536))
        except OSError:  # how Linux says that nobody holds the other end any more
            break
        if not piece:
            break
    os.close(master)
    assert process.wait(timeout=60) == 0
    return bytes(said)


def hostile(text: str, *, of_the_lab: bool) -> Report:
    """Every foreign string is `text`; where all ids are the lab's, the stored facts are put into its words again."""
    report = factory.hostile_report(text)
    items = tuple(item.model_copy(update={"facts": {"process": text, "moment": text}}) for item in report.items)
    return report.model_copy(update={"items": items[:-1] if of_the_lab else items})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run for each hostile string, and one whose stored words stand since its items are not the lab's."""
    root = tmp_path_factory.mktemp("runs")
    short = [text for text in factory.HOSTILE if len(text) < 4000]
    # A line of its own for each string: what one breaks must not hide another.
    for text, of_the_lab in (("\n".join(short), True), ("\n".join(short), False), ("\x1b[2J" * 9000, True)):
        Store(root).new_run("05-docker").write("report.json", hostile(text, of_the_lab=of_the_lab))
    return root


def shown(said: bytes) -> str:
    """The letters of what a terminal was sent. Raises where anything else was sent."""
    letters = OURS.sub(b"", said).replace(b"\r\n", b"\n").decode()
    assert active(letters, lines=True) == []
    return letters


@pytest.mark.parametrize("asked", [("--lang", "en"), ("--lang", "fr", "-v")])
def test_a_stored_report_cannot_act_on_a_terminal(runs: Path, asked: tuple[str, ...]) -> None:
    for run in Store(runs).list():
        said = terminal("show", run.id, *asked, runs=runs)
        assert b"\x1b[1m" in said or b"\x1b[1;31m" in said, "no colours: this was no terminal, and proves nothing"
        letters = shown(said)
        assert inert("\x1b[2J") in letters
        assert "05-docker" in letters


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "text"])
def test_no_other_view_acts_on_a_terminal_either(runs: Path, form: str) -> None:
    newest = Store(runs).list()[0].id
    said = terminal("show", newest, "--format", form, runs=runs)
    assert b"\x1b" not in said
    shown(said)


def test_the_list_of_runs_cannot_either(runs: Path) -> None:
    said = terminal("runs", "list", runs=runs)
    assert b"\x1b" not in said
    assert shown(said).count("\n") == 3


def test_the_reader_of_these_bytes_sees_what_would_act() -> None:
    for bad in (b"\x1b[2J", b"\x1b]0;x\x07", b"\x1b[38;5;9m", b"\x1b]8;;http://x\x1b\\", b"a\rb", b"\xc2\x9b31m"):
        with pytest.raises((AssertionError, UnicodeDecodeError)):
            shown(b"before" + bad + b"after")
