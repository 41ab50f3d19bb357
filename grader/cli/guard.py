"""The one place where errors become words and exit codes: never a traceback on the terminal."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from grader.cli.session import Session
from grader.errors import Fact, GraderError

INTERRUPTED, BROKEN_PIPE, WRONG_USE, OURS = 130, 141, 2, 4
FULL = (errno.ENOSPC, errno.EDQUOT)
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def guarded(act: Callable[[], int], session: Session) -> int:
    """The exit code of `act`, whatever happens in it."""
    try:
        with stoppable():
            status = act()
            sys.stdout.flush()
            return status
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _complain(session, INTERRUPTED, "interrupted")
    except click.UsageError as error:
        return _wrong_use(error, session)
    except BrokenPipeError:
        return _quiet()
    except GraderError as error:
        return _complain(session, error.exit_code, error.code, **error.facts)
    except Exception as error:  # ours, whatever it is: the user gets a sentence, the log gets the rest
        if isinstance(error, OSError) and error.errno in FULL:
            return _complain(session, OURS, "disk_full", path=str(error.filename or _runs(session)))
        return _complain(session, OURS, "internal", kind=type(error).__name__, log=_keep(error, session))


@contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C, a polite kill and a closed terminal raise `KeyboardInterrupt`, once: the clean-up is let finish."""
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What the caller told us to ignore (nohup) stays ignored.
    before = {number: signal.getsignal(number) for number in STOPPING if signal.getsignal(number) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _complain(session: Session, status: int, code: str, **facts: Fact) -> int:
    colour = False if session.environ.get("NO_COLOR") else None  # None: click leaves colours to terminals
    click.secho(session.say(code, **facts), err=True, fg="red", color=colour)
    return status


def _wrong_use(error: click.UsageError, session: Session) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return WRONG_USE
    code, facts = _usage(error)
    path = error.ctx.command_path if error.ctx is not None else "grader"
    return _complain(session, WRONG_USE, code, **facts, command=f"{path} --help")


def _usage(error: click.UsageError) -> tuple[str, dict[str, Fact]]:
    """What is wrong with the command line, in our own words where we have them."""
    if isinstance(error, click.NoSuchOption):
        return "usage_option", {"name": error.option_name, "near": ", ".join(error.possibilities or ()) or "-"}
    param = error.param if isinstance(error, click.BadParameter) else None
    name = (param.opts[-1] if param.param_type_name == "option" else param.human_readable_name) if param else ""
    if isinstance(error, click.MissingParameter):
        return "usage_missing", {"name": name}
    if param is not None and isinstance(param.type, click.Choice):
        return "usage_choice", {"name": name, "expected": ", ".join(map(str, param.type.choices))}
    if param is not None and isinstance(param.type, click.types.IntParamType):
        return "usage_number", {"name": name}
    return "usage_other", {"problem": error.format_message().rstrip(".")}


def _quiet() -> int:
    """Whoever read us is gone; the interpreter's last flush must not complain about it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


def _runs(session: Session) -> Path:
    try:
        return session.settings().runs
    except GraderError:
        return Path(tempfile.gettempdir())


def _keep(error: Exception, session: Session) -> str:
    """Where the traceback was written: below the runs, else in the folder for temporary files."""
    name = f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(3)}.log"
    text = "".join(traceback.format_exception(error))
    for folder in (_runs(session) / "errors", Path(tempfile.gettempdir()) / "grader-errors"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return str(folder / name)
    return "-"
