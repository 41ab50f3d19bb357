"""A process that leaves something behind when it is stopped, that chokes on its terminal, or that makes one wait."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grader.cli.guard import stoppable

from .conftest import FORGOTTEN_SOCKET, START, assert_words, start

pytestmark = FORGOTTEN_SOCKET
HEAVY = ("pydantic", "rich", "docker", "numpy", "jinja2", "requests")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_is_one_line_and_130(home: Path, submission: Path, number: signal.Signals) -> None:
    path = Path(f"/tmp/grader-test-{os.getpid()}-silent.sock")
    with socket.socket(socket.AF_UNIX) as server:  # an engine that takes the call and says nothing
        server.bind(str(path))
        server.listen()
        process = start("run", "90", str(submission), env=os.environ | {"DOCKER_HOST": f"unix://{path}"})
        server.settimeout(30)
        caller, _ = server.accept()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        caller.close()
    path.unlink()
    assert (process.returncode, out) == (130, b"")
    assert_words(err.decode())
    assert not list((home / "runs").glob("active/*"))


def test_a_second_ctrl_c_does_not_break_the_cleaning_up() -> None:
    cleaned = False
    with stoppable():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
            cleaned = True
    assert cleaned
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_reader_that_leaves_is_no_error(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*START, "lab", "list"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_without_our_signs_still_shows_the_mark(home: Path, submission: Path) -> None:
    for encoding in ("ascii", "latin-1"):
        environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
        process = start("run", "90", str(submission), "--lang", "fr", env=environment)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")
        assert b"20" in out


def test_a_path_that_is_no_text_is_said_all_the_same(home: Path) -> None:
    out, err = (process := start("run", "90", b"caf\xe9")).communicate(timeout=60)
    assert (process.returncode, out) == (2, b"")
    assert_words(err.decode())


def test_help_loads_nothing_heavy() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, grader.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {name.split(".")[0] for name in found.stdout.split()} & set(HEAVY)
