"""The grader's process: found or not, stopped in time with its children, blind to what stands in the work folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench import checking, process
from workbench.session import Session

Begin = Callable[..., Session]


def test_a_grader_that_is_not_there_is_one_sentence(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    for session in (begin(grader=["/nowhere/grader"]), begin(grader=["a\0b"])):
        assert "The grader is not installed" in checking.check(session, "L02.E1").plain()
    monkeypatch.setattr(process, "find_spec", lambda name: None)
    assert "n'est pas installé" in checking.check(begin(lang="fr"), "L02.E1").plain()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _gone(pid: int) -> bool:
    """Before a stand-in's sleep of 60 seconds ends by itself."""
    until = time.monotonic() + 20
    while _alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not _alive(pid)


def test_after_the_deadline_the_grader_and_its_children_are_gone(begin: Begin, stand_in: Any) -> None:
    stand_in.answers(sleep=60, child=True)
    text = checking.check(begin(grader=stand_in.command), "L02.E1", seconds=5).plain()
    assert "took more than 5 seconds and was stopped" in text
    assert _gone(stand_in.seen["pid"])
    assert _gone(int((stand_in.folder / "child").read_text()))


def test_a_grader_that_ignores_the_polite_signal_is_killed(
    begin: Begin, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_GRACE", 0.5)
    stand_in.answers(sleep=60, stubborn=True)
    text = checking.check(begin(grader=stand_in.command), "L02.E1", seconds=5).plain()
    assert (stand_in.folder / "deaf").exists(), "it had not yet stopped listening: the test shows nothing"
    assert "was stopped" in text
    assert _gone(stand_in.seen["pid"])


def test_the_stop_button_stops_the_grader_too(stand_in: Any, out: Path) -> None:
    """Jupyter's stop button is a SIGINT for the kernel, and only for it."""
    code = (
        "import sys, workbench as wb\n"
        "wb.begin(lab='02-onnx', out_dir=sys.argv[1], grader=sys.argv[2:])\n"
        "wb.check('L02.E1')\n"
    )
    stand_in.answers(sleep=60, child=True)
    kernel = subprocess.Popen(
        [sys.executable, "-c", code, str(out), *stand_in.command], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    until = time.monotonic() + 60
    while not (stand_in.folder / "child").exists() and time.monotonic() < until:
        time.sleep(0.05)
    kernel.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in kernel.communicate(timeout=60)[1]
    assert _gone(stand_in.seen["pid"])
    assert _gone(int((stand_in.folder / "child").read_text()))


def test_files_of_the_student_do_not_shadow_the_grader_s(begin: Begin, out: Path) -> None:
    """The real command line, beside files named like modules that it imports."""
    for name in ("json.py", "click.py", "random.py", "grader.py"):
        (out / name).write_text("raise SystemExit('shadowed')")
    ended = process.call([*process.GRADER[:-2], "-c", "import json, click, grader; print('fine')"], out, os.environ, 60)
    assert (ended.problem, ended.code, ended.output) == (None, 0, "fine\n")
    assert process.GRADER[:2] == (sys.executable, "-P")
