"""The JSON files of a work folder: read with care, changed as a whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from workbench.errors import WorkbenchError
from workbench.session import Session

Json = Any  # plain JSON data
ANSWERS, RESULTS, LOCAL = "answers.json", "results.json", ".workbench.json"
_TABLES = {ANSWERS: ("bets", "questions"), RESULTS: ("measures", "notes"), LOCAL: ("checks", "log")}
_MOST = 64 << 20
_PATIENCE = 10.0


def read(session: Session, name: str) -> dict[str, Json]:
    """What the file holds, its tables there even where it is not; refuses one that is torn or another lab's."""
    path = session.out_dir / name
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would never end
            session.refuse("file_closed", file=name, reason=session.say("no_file"))
        with open(path, "rb") as file:
            content = file.read(_MOST + 1)
    except FileNotFoundError:
        content = b"{}"
    except OSError as error:
        _refuse_os(session, error, name)
    if len(content) > _MOST:
        session.refuse("file_huge", file=name)
    return _checked(session, name, content)


def update(session: Session, name: str, change: Callable[[dict[str, Json]], None]) -> None:
    """Read, `change` in place, write durably: after a power cut the file is the old one or the new one."""
    try:
        with _alone(session.out_dir):
            data = read(session, name)
            change(data)
            text = json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
            _write_whole(session.out_dir / name, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        _refuse_os(session, error, name)


def _checked(session: Session, name: str, content: bytes) -> dict[str, Json]:
    try:
        data = json.loads(content.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        session.refuse("file_torn", file=name, line=line) if line else session.refuse("file_not_json", file=name)
    if not isinstance(data, dict):
        session.refuse("file_shape", file=name, part="{ }")
    if data.setdefault("lab", session.lab) != session.lab:
        session.refuse("file_other_lab", file=name, found=str(data["lab"])[:60], lab=session.lab)
    for table in _TABLES[name]:
        if not isinstance(data.setdefault(table, {}), dict):
            session.refuse("file_shape", file=name, part=table)
    return data


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two kernels on one folder change a file in turn. The folder itself is the lock: nothing is left in it."""
    try:
        import fcntl
    except ImportError:  # Windows: one kernel at a time is the usual case
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _wait_for(handle, fcntl)
        yield
    finally:
        os.close(handle)


def _wait_for(handle: int, fcntl: ModuleType) -> None:
    """The lock, for which another kernel may make us wait a little. Some network folders have none: then without."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        except OSError:
            return


def _write_whole(path: Path, content: bytes) -> None:
    for stale in path.parent.glob(f".{path.name}.*.tmp"):  # of a kernel that was killed while it held the lock
        stale.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, where the system lets a folder be opened."""
    with suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _refuse_os(session: Session, error: OSError, name: str) -> NoReturn:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise WorkbenchError("disk_full", session.lang, file=name) from error
    if isinstance(error, BlockingIOError):
        raise WorkbenchError("file_busy", session.lang, file=name) from error
    if not session.out_dir.is_dir():
        raise WorkbenchError("no_out_dir", session.lang, path=str(session.out_dir)) from error
    raise WorkbenchError("file_closed", session.lang, file=name, reason=error.strerror or "?") from error
