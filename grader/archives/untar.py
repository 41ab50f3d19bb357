"""A tar reader for regular files, folders and relative links; anything else in the archive refuses it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from grader.archives.folder import Folder, too_big
from grader.archives.names import FILE_BYTES, FILES, FOLDERS, MIB, TOTAL_BYTES, decode_name, left_out, parts_of
from grader.errors import SubmissionError

_BLOCK = 512
_CHUNK = 1 << 16
_MEMBERS = 20_000
_HEADER_BYTES = 1 << 16
# Headers and padding come on top of the content; a stream of them alone is a bomb too.
_STREAM_BYTES = TOTAL_BYTES + 32 * MIB
_REGULAR, _FOLDER, _LINK = b"0\x007", b"5", b"2"
_HARD_LINK, _DEVICES = b"1", b"346S"


@dataclass(frozen=True)
class _Member:
    name: str
    target: str
    kind: bytes
    size: int
    executable: bool


class _Stream:
    """Reads a tar, inflating it where it is compressed, up to a number of bytes."""

    def __init__(self, file: BinaryIO, gzipped: bool) -> None:
        self._file = file
        self._inflater = zlib.decompressobj(31) if gzipped else None
        self._ready = b""
        self._total = 0

    def exactly(self, size: int) -> bytes:
        data = self.at_most(size)
        if len(data) != size:
            raise _corrupt()
        return data

    def at_most(self, size: int) -> bytes:
        pieces, missing = [], size
        while missing:
            if not self._ready and not self._refill():
                break
            pieces.append(self._ready[:missing])
            self._ready = self._ready[missing:]
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def _refill(self) -> bool:
        self._ready = self._next()
        self._total += len(self._ready)
        if self._total > _STREAM_BYTES:
            raise too_big(".")
        return bool(self._ready)

    def _next(self) -> bytes:
        if self._inflater is None:
            return self._file.read(_CHUNK)
        while not self._inflater.eof:
            raw = self._inflater.unconsumed_tail or self._file.read(_CHUNK)
            try:
                chunk = self._inflater.decompress(raw, _CHUNK)
            except zlib.error:
                raise _corrupt() from None
            if chunk:
                return chunk
            if not raw and not self._inflater.eof:
                raise _corrupt()
        if self._inflater.unused_data or self._file.read(1):
            raise _corrupt()
        return b""


def looks_like_tar(block: bytes) -> bool:
    """Tell whether 512 bytes are a tar header: its sum agrees."""
    return len(block) == _BLOCK and any(block) and _sum(block) == _number(block[148:156])


def untar(file: BinaryIO, gzipped: bool, into: Folder) -> None:
    """Fill `into` with the members of a tar; links are made, but never passed through."""
    stream = _Stream(file, gzipped)
    if gzipped:
        first = stream.at_most(_BLOCK)
        if not looks_like_tar(first):
            raise SubmissionError("format", stage="stage", found="gzip")
    else:
        first = stream.exactly(_BLOCK)
    count = 0
    while any(first):
        member = _read(stream, first)
        if member is not None:
            count += 1
            if count > _MEMBERS:
                raise SubmissionError("count", stage="stage", files=FILES, folders=FOLDERS)
            _place(stream, member, into)
        first = stream.exactly(_BLOCK)
    while padding := stream.at_most(_CHUNK):
        if any(padding):
            raise _corrupt()


def _read(stream: _Stream, block: bytes) -> _Member | None:
    """Give the next member, its long names applied; None for a header that speaks of the whole archive."""
    long: dict[str, str] = {}
    while block[156:157] in (b"L", b"K", b"x", b"g"):
        kind, size = block[156:157], _checked(block)
        if size > _HEADER_BYTES:
            raise SubmissionError("headers", stage="stage", path="")
        data = stream.exactly(size)
        stream.exactly(-size % _BLOCK)
        if kind == b"L":
            long["path"] = decode_name(data.rstrip(b"\0"))
        elif kind == b"K":
            long["linkpath"] = decode_name(data.rstrip(b"\0"))
        else:
            records = _records(data)
            if kind == b"x":
                long.update(records)
            elif records.keys() & {"path", "linkpath", "size"}:
                raise SubmissionError("headers", stage="stage", path="")
        if kind == b"g":
            return None
        block = stream.exactly(_BLOCK)
    size = _checked(block)
    name, target = _field(block[:100]), _field(block[157:257])
    if block[257:263] == b"ustar\0" and (prefix := _field(block[345:500])):
        name = prefix + b"/" + name
    if "size" in long:
        size = _decimal(long["size"])
    kind = block[156:157]
    path = long.get("path") or decode_name(name)
    if kind == b"\0" and path.endswith("/"):
        kind = _FOLDER
    mode = _number(block[100:108])
    return _Member(path, long.get("linkpath") or decode_name(target), kind, size, bool(mode & 0o100))


def _place(stream: _Stream, member: _Member, into: Folder) -> None:
    parts = parts_of(member.name)
    if member.kind in _DEVICES:
        raise SubmissionError("special", stage="stage", path=member.name)
    if member.kind == _HARD_LINK:
        raise SubmissionError("link", stage="stage", path=member.name, other=member.target)
    if member.kind not in _REGULAR + _FOLDER + _LINK or not member.kind:
        raise SubmissionError("format", stage="stage", found=f"tar, type {member.kind!r}")
    size = member.size if member.kind in _REGULAR else 0
    if member.size != size:
        raise SubmissionError("headers", stage="stage", path=member.name)
    if left_out(parts):
        for _ in _content(stream, size):
            pass
    elif member.kind == _FOLDER or not parts:
        into.add_folder(parts)
    elif member.kind == _LINK:
        into.add_link(parts, _inside(parts, member))
    else:
        if size > FILE_BYTES:
            raise too_big(member.name)
        into.add_file(parts, member.executable, _content(stream, size))
    stream.exactly(-size % _BLOCK)


def _inside(parts: tuple[str, ...], member: _Member) -> str:
    """Give the text of a link that stays inside the archive, by its letters alone."""
    here = list(parts[:-1])
    steps = member.target.split("/")
    for step in steps:
        if step == ".." and here:
            here.pop()
        elif step not in ("", ".", ".."):
            here.append(step)
        elif step == "..":
            raise SubmissionError("link", stage="stage", path=member.name, other=member.target)
    if not member.target or member.target.startswith("/") or "\0" in member.target:
        raise SubmissionError("link", stage="stage", path=member.name, other=member.target)
    return member.target


def _content(stream: _Stream, size: int) -> Iterator[bytes]:
    while size:
        chunk = stream.exactly(min(size, _CHUNK))
        size -= len(chunk)
        yield chunk


def _records(data: bytes) -> dict[str, str]:
    """Read the `length key=value` lines of an extended header."""
    records: dict[str, str] = {}
    while data:
        length, space, _ = data.partition(b" ")
        size = _decimal(length.decode("ascii", "replace"))
        line = data[len(length) + 1 : size]
        if not space or size <= len(length) + 1 or size > len(data) or not line.endswith(b"\n"):
            raise _corrupt()
        key, equals, value = line[:-1].partition(b"=")
        if not equals:
            raise _corrupt()
        name = key.decode("utf-8", "replace")
        if name.startswith("GNU.sparse"):
            raise SubmissionError("special", stage="stage", path="")
        if name in ("path", "linkpath", "size"):
            records[name] = decode_name(value)
        data = data[size:]
    return records


def _checked(block: bytes) -> int:
    if _sum(block) != _number(block[148:156]):
        raise _corrupt()
    size = _number(block[124:136])
    if size < 0:
        raise _corrupt()
    return size


def _sum(block: bytes) -> int:
    return sum(block) - sum(block[148:156]) + 8 * ord(" ")


def _number(field: bytes) -> int:
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0")[0].strip()
    if not text.isdigit() or set(text) & set(b"89"):
        return 0 if not text else -1
    return int(text, 8)


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise _corrupt()
    return int(text)


def _field(raw: bytes) -> bytes:
    return raw.split(b"\0")[0]


def _corrupt() -> SubmissionError:
    return SubmissionError("corrupt", stage="stage", path="")
