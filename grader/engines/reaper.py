"""What a run made on the engine and the disk, written down before it exists, so that a killed run leaves nothing.

Each run owns `runs/active/<run-id>/`: `resources.jsonl` (append only) and `lock`, held by flock while the run lives.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

from grader.durable import disk_trouble, sync_folder
from grader.errors import InfraError

# `building` is one build by its marker, `build` an image that it made on the way, `met` one that it found in the cache.
Kind = Literal["container", "volume", "image", "building", "build", "met", "folder"]
_ORDER: tuple[Kind, ...] = ("container", "building", "volume", "image", "build", "met", "folder")
_ROWS = "resources.jsonl"
_LOCK = "lock"


class Remover(Protocol):
    """What an engine does for the reaper; removing what is already gone is a success."""

    def remove(self, kind: Kind, name: str) -> None: ...


class Ledger:
    """The resources of one living run; leaving the `with` block forgets them once all are removed."""

    def __init__(self, active: Path, run_id: str) -> None:
        self.folder = active / run_id
        try:
            self._lock = _hold(self.folder)
            self._rows = os.open(self.folder / _ROWS, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            sync_folder(self.folder)
            sync_folder(active)
        except OSError as error:
            raise disk_trouble(error, self.folder) from error

    def intend(self, kind: Kind, name: str) -> None:
        """Write down, durably, that `name` is about to be created."""
        self._append({"kind": kind, "name": name})

    def created(self, kind: Kind, name: str, identity: str) -> None:
        """Write down the engine's id of what was intended as `name`."""
        self._append({"kind": kind, "name": name, "id": identity})

    def removed(self, kind: Kind, name: str) -> None:
        """Write down that `name` is gone. Not durably: if a power cut takes this row, what is gone is removed again."""
        self._append({"kind": kind, "name": name, "removed": True}, durable=False)

    def close(self) -> None:
        """End the run: the folder goes too, unless something was left behind for the reaper."""
        if not _outstanding(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._rows)
        os.close(self._lock)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, row: dict[str, object], *, durable: bool = True) -> None:
        line = json.dumps(row).encode() + b"\n"
        try:
            if os.write(self._rows, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if durable:
                os.fsync(self._rows)
        except OSError as error:
            raise disk_trouble(error, self.folder / _ROWS) from error


class Reaper:
    """Removes what dead runs left behind, and nothing else: only recorded ids and names, never a label, never prune."""

    def __init__(self, active: Path, remover: Remover, work: Path) -> None:
        self._active = active
        self._remover = remover
        self._work = work

    def reap(self) -> tuple[str, ...]:
        """The names that were removed. A run whose lock is held is left alone; what fails is tried again next time."""
        folders = sorted(self._active.iterdir()) if self._active.is_dir() else []
        locks = {folder: _try_lock(folder) for folder in folders if folder.is_dir() and not folder.is_symlink()}
        living = [folder for folder, lock in locks.items() if lock is None]
        # An intermediate image that a living run has met too may be the ground that it is building on.
        shared = {name for folder in living for kind, name, _ in _outstanding(folder) if kind in ("build", "met")}
        removed: list[str] = []
        for folder, lock in locks.items():
            if lock is not None:
                try:
                    removed += self._reap_run(folder, shared)
                finally:
                    os.close(lock)
        return tuple(removed)

    def _reap_run(self, folder: Path, shared: set[str]) -> list[str]:
        done: list[str] = []
        left = False
        for kind, name, identity in _outstanding(folder):
            if kind == "build" and name in shared:
                continue
            try:
                if kind == "folder":
                    self._remove_folder(Path(name))
                else:
                    self._remover.remove(kind, identity)
                done.append(name)
            except (InfraError, OSError):
                left = True
        if not left:
            shutil.rmtree(folder, ignore_errors=True)
        return done

    def _remove_folder(self, path: Path) -> None:
        """Remove a temporary folder, if it truly lies below the work root: a ledger cannot aim the reaper elsewhere."""
        if ".." in path.parts or path.is_symlink() or not path.is_dir():
            return
        if self._work.resolve() in path.resolve().parents:
            shutil.rmtree(path)


def _outstanding(folder: Path) -> list[tuple[Kind, str, str]]:
    """(kind, name, id or name) of what was intended and not removed, in the order of removal."""
    found: dict[tuple[Kind, str], str] = {}
    try:
        lines = (folder / _ROWS).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            row = json.loads(line)
            key: tuple[Kind, str] = (row["kind"], row["name"])
        except (ValueError, KeyError, TypeError):
            continue  # a torn row: its resource was never created, because creation waits for the row
        if row.get("removed"):
            found.pop(key, None)
        else:
            found[key] = row.get("id", row["name"])
    rows = [(kind, name, identity) for (kind, name), identity in found.items()]
    return in_order_of_removal(rows)


def in_order_of_removal(rows: list[tuple[Kind, str, str]]) -> list[tuple[Kind, str, str]]:
    """Containers before what they stand on (volumes, images), and the newest of a kind first."""
    newest_first = list(reversed(rows))
    return sorted(newest_first, key=lambda row: _ORDER.index(row[0]))


def _hold(folder: Path) -> int:
    """The descriptor of the folder's lock, held. The reaper may delete a folder this young: then make it anew."""
    give_up = time.monotonic() + 5
    while time.monotonic() < give_up:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        if _grab(lock) and _is_same_file(lock, folder / _LOCK):
            return lock
        os.close(lock)
        time.sleep(0.02)
    raise InfraError("run_locked", run=folder.name)


def _try_lock(folder: Path) -> int | None:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    if _grab(lock) and _is_same_file(lock, folder / _LOCK):
        return lock
    os.close(lock)
    return None


def _grab(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same_file(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False
