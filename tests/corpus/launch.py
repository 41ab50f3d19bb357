"""The grader's command line with an ear to the interpreter: what executes a file of the submission is written down.

    python -m tests.corpus.launch LOG FOREIGN -- run LAB SUBMISSION ...

FOREIGN are the folders, joined by colons, out of which nothing may ever be executed on the host.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from tests.corpus.undone import UNDONE, VARIABLE


def listen(log: int, foreign: tuple[str, ...]) -> None:
    """Write a line for each execution, import or start of something from one of the folders."""

    def said(event: str, arguments: tuple[Any, ...]) -> list[Any]:
        if event == "exec":
            return [getattr(arguments[0], "co_filename", "")]
        if event == "compile":
            return [arguments[1]]
        if event == "import":
            return [arguments[1]]
        if event == "subprocess.Popen":
            return [arguments[0], *list(arguments[1])[:1]]
        if event in ("os.exec", "os.posix_spawn", "os.system", "ctypes.dlopen"):
            return [arguments[0]]
        return []

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        for what in said(event, arguments):
            text = os.fsdecode(what) if isinstance(what, str | bytes | os.PathLike) else ""
            if text.startswith(foreign):
                os.write(log, f"{event} {text}\n".encode("utf-8", "backslashreplace"))

    sys.addaudithook(hear)


def main() -> None:
    log, foreign, dashes, *arguments = sys.argv[1:]
    assert dashes == "--"
    listen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), tuple(foreign.split(":")))
    sys.argv[1:] = arguments
    if without := os.environ.pop(VARIABLE, ""):
        UNDONE[without].switch()
    from grader.cli import main as grader

    grader()


if __name__ == "__main__":
    main()
