"""The grader as another process: started without a shell, given a deadline, gone when we are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

GRADER = (sys.executable, "-P", "-m", "grader")  # -P: what stands in the work folder is not the grader's
_GRACE = 10.0


@dataclass(frozen=True)
class Ended:
    """What a process left; `problem` is None, "missing" (could not be started) or "timeout"."""

    problem: str | None
    code: int | None = None
    output: str = ""
    errors: str = ""


def call(command: Sequence[str], folder: Path, environ: Mapping[str, str], seconds: float) -> Ended:
    """Runs `command` in `folder` for at most `seconds`; then it and its children are asked to stop, and made to."""
    if tuple(command[: len(GRADER)]) == GRADER and find_spec("grader") is None:
        return Ended("missing")
    try:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace", start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError):
        return Ended("missing")
    try:
        output, errors = process.communicate(timeout=seconds)
        return Ended(None, process.returncode, output, errors)
    except subprocess.TimeoutExpired:
        return Ended("timeout")
    finally:
        _stop(process)  # also where the student presses the stop button


def _stop(process: subprocess.Popen[str]) -> None:
    """A polite signal first: the grader then takes away what it had started itself."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_GRACE)
    if process.poll() is None:
        _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_GRACE)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _signal(process: subprocess.Popen[str], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
