"""Staging: a trusted copy of what was handed in, or the name of the rule that it breaks."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from grader.archives import extract
from grader.archives.folder import DISK_ERRORS, Folder, open_folder, too_big
from grader.archives.names import FILE_BYTES, FILES, FOLDERS, MIB, UPLOAD_BYTES, decode_name, left_out, parts_of
from grader.errors import InfraError, LabError, SubmissionError
from grader.records import Staged, StagedFile, Submission

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HOPS = 16
_CHUNK = 1 << 18


def stage(submission: Submission, destination: Path) -> Staged:
    """Copy a folder or an archive to the new folder `destination`; nothing of it stays there on an error."""
    source = _open_source(submission.source)
    try:
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.mkdir(mode=0o700)
        except OSError as error:
            raise InfraError("staging_folder", path=str(destination), detail=os.strerror(error.errno or 0)) from error
        try:
            files = _fill(source, destination)
        except BaseException:
            shutil.rmtree(destination, ignore_errors=True)
            raise
    finally:
        os.close(source)
    return Staged(source=submission.source, root=str(destination), digest=tree_digest(files), files=files)


def tree_digest(files: tuple[StagedFile, ...]) -> str:
    """Give one digest for all paths, contents and executable bits."""
    rows = sorted((file.path, file.size, file.sha256, file.executable) for file in files)
    return "sha256:" + hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _open_source(source: str) -> int:
    try:
        # Not to be blocked by a FIFO; a link that the caller names is the caller's own.
        return os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise LabError("submission_missing", path=source) from None
    except (OSError, ValueError) as error:
        raise LabError("submission_unreadable", path=source, detail=str(error)) from None


def _fill(source: int, destination: Path) -> tuple[StagedFile, ...]:
    facts = os.fstat(source)
    if stat.S_ISDIR(facts.st_mode):
        return _copy(source, destination)
    if not stat.S_ISREG(facts.st_mode):
        raise SubmissionError("format", stage="stage", found="")
    if facts.st_size > UPLOAD_BYTES:
        raise SubmissionError("upload", stage="stage", limit_mib=UPLOAD_BYTES // MIB)
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=destination.parent) as unpacked:
        root = os.open(unpacked, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            extract(source, root)
            wrapper = _wrapper(root)
            if wrapper is not None:
                root, outer = open_folder(root, (wrapper,)), root
                os.close(outer)
            return _copy(root, destination)
        finally:
            os.close(root)


def _wrapper(root: int) -> str | None:
    """Give the one folder that holds everything, as most programs make it when a folder is packed."""
    entries = [entry for entry in os.listdir(root) if not left_out((entry,))]
    if len(entries) == 1 and stat.S_ISDIR(os.lstat(entries[0], dir_fd=root).st_mode):
        return entries[0]
    return None


def _copy(root: int, destination: Path) -> tuple[StagedFile, ...]:
    out = os.open(destination, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        copy = _Copy(root, out)
        copy.folder((), (), ())
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise InfraError("staging_disk", detail=str(error)) from error
        raise LabError("submission_unreadable", path=str(error.filename or "."), detail=str(error)) from None
    finally:
        os.close(out)
    return tuple(sorted(copy.files, key=lambda file: file.path))


class _Copy:
    """One walk over a folder that may change or lie while it is read."""

    def __init__(self, root: int, out: int) -> None:
        self._root = root
        self._out = Folder(out)
        facts = os.fstat(out)
        self._own = (facts.st_dev, facts.st_ino)
        self.files: list[StagedFile] = []

    def folder(self, place: tuple[str, ...], parts: tuple[str, ...], trail: tuple[tuple[str, ...], ...]) -> None:
        """Copy the folder at `place` to `parts`; they differ below a link. `trail` is the way that led here."""
        handle = open_folder(self._root, place)
        try:
            facts = os.fstat(handle)
            if (facts.st_dev, facts.st_ino) == self._own:
                return
            self._out.add_folder(parts)
            names = self._names(handle)
        finally:
            os.close(handle)
        for name in names:
            self._entry((*place, name), (*parts, *parts_of(name)), (*trail, place))

    def _names(self, handle: int) -> list[str]:
        names: list[str] = []
        with os.scandir(handle) as entries:
            for entry in entries:
                name = decode_name(os.fsencode(entry.name))
                if left_out((name,)):
                    continue
                if "\\" in name:
                    raise SubmissionError("path", stage="stage", path=name)
                names.append(name)
                if len(names) > FILES + FOLDERS:
                    raise SubmissionError("count", stage="stage", files=FILES, folders=FOLDERS)
        return sorted(names)

    def _entry(self, place: tuple[str, ...], parts: tuple[str, ...], trail: tuple[tuple[str, ...], ...]) -> None:
        facts = self._look(place)
        if stat.S_ISLNK(facts.st_mode):
            target = self._follow(place, parts)
            facts = self._look(target)
            if target in trail:
                raise self._bad_link(parts, place)
            place = target
        if stat.S_ISDIR(facts.st_mode):
            self.folder(place, parts, trail)
        elif stat.S_ISREG(facts.st_mode):
            self._file(place, parts, facts)
        else:
            raise SubmissionError("special", stage="stage", path="/".join(parts))

    def _file(self, place: tuple[str, ...], parts: tuple[str, ...], seen: os.stat_result) -> None:
        path = "/".join(parts)
        parent = open_folder(self._root, place[:-1])
        try:
            handle = os.open(place[-1], _READ, dir_fd=parent)
        finally:
            os.close(parent)
        with open(handle, "rb", buffering=0) as file:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode) or (facts.st_dev, facts.st_ino) != (seen.st_dev, seen.st_ino):
                raise SubmissionError("special", stage="stage", path=path)
            if facts.st_size > FILE_BYTES:
                raise too_big(path)
            executable = bool(facts.st_mode & 0o100)
            size, digest = self._out.add_file(parts, executable, _chunks(file.fileno()))
        self.files.append(StagedFile(path=path, size=size, sha256=digest, executable=executable))

    def _look(self, place: tuple[str, ...]) -> os.stat_result:
        parent = open_folder(self._root, place[:-1])
        try:
            return os.lstat(place[-1], dir_fd=parent) if place else os.fstat(parent)
        finally:
            os.close(parent)

    def _follow(self, place: tuple[str, ...], parts: tuple[str, ...]) -> tuple[str, ...]:
        """Give the place inside the submission that a link leads to, over further links if need be."""
        here, ahead, hops = list(place[:-1]), [place[-1]], 0
        while ahead:
            step = ahead.pop(0)
            if step == "..":
                if not here:
                    raise self._bad_link(parts, place)
                here.pop()
                continue
            try:
                facts = self._look((*here, step))
            except OSError:
                raise self._bad_link(parts, place) from None
            if not stat.S_ISLNK(facts.st_mode):
                here.append(step)
                continue
            hops += 1
            text = self._text((*here, step))
            if hops > _HOPS or text.startswith("/"):
                raise self._bad_link(parts, place)
            ahead = [part for part in text.split("/") if part not in ("", ".")] + ahead
        return tuple(here)

    def _text(self, place: tuple[str, ...]) -> str:
        parent = open_folder(self._root, place[:-1])
        try:
            return os.readlink(place[-1], dir_fd=parent)
        finally:
            os.close(parent)

    def _bad_link(self, parts: tuple[str, ...], place: tuple[str, ...]) -> SubmissionError:
        target = self._text(place).encode("utf-8", "replace").decode()
        return SubmissionError("link", stage="stage", path="/".join(parts), other=target)


def _chunks(handle: int) -> Iterator[bytes]:
    while chunk := os.read(handle, _CHUNK):
        yield chunk
