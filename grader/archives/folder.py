"""A fresh folder that is filled through descriptors: no link is followed, nothing is overwritten."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable
from typing import Literal

from grader.archives.names import FILE_BYTES, FILES, FOLDERS, MIB, TOTAL_BYTES, check_length, fold
from grader.errors import SubmissionError

Kind = Literal["file", "folder", "link"]
# The machine's trouble, never the submission's.
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
_WALK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_WHOLE_RATIO = 50


def open_folder(root: int, parts: tuple[str, ...]) -> int:
    """Open a folder below `root` one step at a time; a link on the way is an `OSError`."""
    current = os.dup(root)
    for part in parts:
        try:
            following = os.open(part, _WALK, dir_fd=current)
        finally:
            os.close(current)
        current = following
    return current


class Folder:
    """Takes files, folders and links, and counts them against every limit before it writes them.

    `upload` is the size of the archive that is unpacked; `extra_depth` leaves room for its wrapping folder.
    """

    def __init__(self, root: int, upload: int | None = None, extra_depth: int = 0) -> None:
        self._root = root
        self._upload = upload
        self._extra_depth = extra_depth
        self._taken: dict[str, tuple[tuple[str, ...], Kind]] = {}
        self._counts = {"file": 0, "folder": 0, "link": 0}
        self._total = 0

    def add_folder(self, parts: tuple[str, ...]) -> None:
        """Make a folder and those above it, where they do not exist yet."""
        for depth in range(1, len(parts) + 1):
            self._take_folder(parts[:depth])

    def add_file(self, parts: tuple[str, ...], executable: bool, chunks: Iterable[bytes]) -> tuple[int, str]:
        """Write a new file; give its size and its sha256."""
        self.add_folder(parts[:-1])
        self._take(parts, "file")
        parent = open_folder(self._root, parts[:-1])
        try:
            handle = os.open(parts[-1], _CREATE, 0o600, dir_fd=parent)
        finally:
            os.close(parent)
        with open(handle, "wb") as file:
            size, digest = 0, hashlib.sha256()
            for chunk in chunks:
                size += len(chunk)
                self._count_bytes("/".join(parts), size, len(chunk))
                digest.update(chunk)
                file.write(chunk)
            os.fchmod(handle, 0o755 if executable else 0o644)
        return size, digest.hexdigest()

    def add_link(self, parts: tuple[str, ...], target: str) -> None:
        """Make a relative link, to be resolved later by `grader.staging`."""
        self.add_folder(parts[:-1])
        self._take(parts, "link")
        parent = open_folder(self._root, parts[:-1])
        try:
            os.symlink(target, parts[-1], dir_fd=parent)
        finally:
            os.close(parent)

    def _take_folder(self, parts: tuple[str, ...]) -> None:
        if self._taken.get(fold(parts)) == (parts, "folder"):
            return
        self._take(parts, "folder")
        parent = open_folder(self._root, parts[:-1])
        try:
            os.mkdir(parts[-1], 0o755, dir_fd=parent)
        finally:
            os.close(parent)

    def _take(self, parts: tuple[str, ...], kind: Kind) -> None:
        check_length(parts, self._extra_depth)
        known = self._taken.get(fold(parts))
        path = "/".join(parts)
        if known is not None:
            # A member below a link would be written through it.
            code = "link" if "link" in (known[1], kind) else "duplicate"
            raise SubmissionError(code, stage="stage", path=path, other="/".join(known[0]))
        self._counts[kind] += 1
        self._taken[fold(parts)] = (parts, kind)
        files = self._counts["file"] + self._counts["link"]
        if files > FILES or self._counts["folder"] > FOLDERS + min(1, self._extra_depth):
            raise SubmissionError("count", stage="stage", files=FILES, folders=FOLDERS)

    def _count_bytes(self, path: str, size: int, more: int) -> None:
        self._total += more
        if size > FILE_BYTES or self._total > TOTAL_BYTES:
            raise too_big(path)
        if self._upload is not None and MIB < self._total > _WHOLE_RATIO * self._upload:
            raise SubmissionError("ratio", stage="stage", path=path, limit=_WHOLE_RATIO)


def too_big(path: str) -> SubmissionError:
    """The refusal of a file, or of the submission with it, that has too many bytes."""
    return SubmissionError("size", stage="stage", path=path, file_mib=FILE_BYTES // MIB, total_mib=TOTAL_BYTES // MIB)
