"""What ends a build from outside: its deadline, and its share of the engine's disk."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from grader.errors import InfraError
from grader.records import Limits

MIB = 1024 * 1024
LOOK_SECONDS = 0.25
# An engine that was hung up on stores what the current step made before it gives up: on a busy disk, a while.
LEAVING_SECONDS = 60.0
# Below this the engine fails in ways that look like a student's fault.
ROOM = 256 * MIB
BLOCK = 512  # what `st_blocks` counts in, whatever the file system's own blocks (stat(2))


class Watchdog(threading.Thread):
    """Hangs up on a build past its deadline or its disk share; the engine then ends it.

    `reason` is then "timeout", "disk" (this build wrote too much) or "full" (others left no room). Overlay2 has no
    quota for a build, so the fall of the free space is watched, which is quick; whose writing it was is asked only
    then. Takes `connection` over, which must be a descriptor of its own.
    """

    def __init__(self, connection: socket.socket, limits: Limits, data_root: str, folders: Callable[[], set[Path]]):
        super().__init__(daemon=True)
        self._connection = connection
        self._deadline = time.monotonic() + limits.build_seconds
        self._disk = limits.build_disk_mib * MIB
        self._data_root = data_root if os.path.isdir(data_root) else "/"
        self._folders = folders
        self._before = self._free()
        self._done = threading.Event()
        self._over = threading.Event()
        self._cut = False
        self.reason: str | None = None

    def run(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            if time.monotonic() > self._deadline:
                self.end("timeout")
            elif reason := self._trouble():
                self.end(reason)
        if self.reason is not None and not self._over.wait(LEAVING_SECONDS):
            self._cut = True  # whoever still reads is let go
            self._shut(socket.SHUT_RDWR)

    def end(self, reason: str) -> None:
        """Hang up, and keep listening: the engine's end of the line tells when it is done with the build."""
        self.reason = self.reason or reason
        self._done.set()
        self._shut(socket.SHUT_WR)

    def stop(self) -> bool:
        """Watch no longer; whether the engine is known to be done with the build. Waits for that after a hang-up."""
        ended = self.reason is None or self._hears_the_end()
        self._done.set()
        self._over.set()
        self.join()
        self._connection.close()
        return ended

    def _hears_the_end(self) -> bool:
        """Whether the engine closes the line before it is cut; what it still says is nobody's business."""
        self._connection.settimeout(LEAVING_SECONDS)
        try:
            while self._connection.recv(65536):
                pass
        except TimeoutError:
            return False  # silence: this clock may be ahead of the one that cuts
        except OSError:
            pass  # a line that broke is closed too
        return not self._cut

    def _shut(self, how: int) -> None:
        with suppress(OSError):
            self._connection.shutdown(how)

    def _free(self) -> int:
        return shutil.disk_usage(self._data_root).free

    def _trouble(self) -> str | None:
        free = self._free()
        if self._before - free > self._disk:
            wrote = self._wrote()
            if wrote > self._disk:
                return "disk"
            self._before = free + wrote  # the rest of the fall was somebody else's writing
        return "full" if free < ROOM else None

    def _wrote(self) -> int:
        """Bytes on the disk in the build's folders, counted no further than its share; where they cannot be read
        (a grader that is not root, an engine elsewhere), the whole fall is taken for the build's."""
        total = 0
        try:
            for folder in self._folders():
                for size in allocated(folder):
                    total += size
                    if total > self._disk:
                        return total
        except (OSError, LookupError, InfraError):
            return self._before - self._free()
        return total


def allocated(folder: Path) -> Iterator[int]:
    """Bytes that each file below takes on the disk; a file that goes meanwhile counts for nothing."""
    pending = [folder]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except FileNotFoundError:
            continue
        for entry in entries:
            with suppress(FileNotFoundError):
                yield entry.stat(follow_symlinks=False).st_blocks * BLOCK
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
