"""A zip reader that believes nothing: every header is read twice and every byte belongs to one member."""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from grader.archives.folder import Folder, too_big
from grader.archives.names import FILE_BYTES, FILES, FOLDERS, MIB, TOTAL_BYTES, decode_name, left_out, parts_of
from grader.errors import SubmissionError

_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_STORE, _DEFLATE, _AES = 0, 8, 99
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_SIZES_FOLLOW = 0x0008
_UNIX = {3, 19}
_LATER = {0, 0xFFFFFFFF}
_MEMBER_RATIO = 200
_MEMBERS = 20_000
_CHUNK = 1 << 16


@dataclass(frozen=True)
class _Member:
    name: bytes
    parts: tuple[str, ...]
    folder: bool
    executable: bool
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def unzip(file: BinaryIO, size: int, into: Folder) -> None:
    """Fill `into` with the members of a zip; refuse the archive where two readings of it differ."""
    start, members = _directory(file, size)
    _count(members)
    position = 0
    for member in sorted(members, key=lambda each: each.offset):
        if member.offset != position:
            raise _refuse("headers", member)
        position = _member(file, member, into)
    if position != start:
        raise SubmissionError("corrupt", stage="stage", path="")


def _directory(file: BinaryIO, size: int) -> tuple[int, list[_Member]]:
    end = _end(file, size)
    _, disk, first_disk, here, count, length, start, comment = end
    if count == 0xFFFF or count > _MEMBERS or length > 64 * MIB:
        raise SubmissionError("count", stage="stage", files=FILES, folders=FOLDERS)
    if disk or first_disk or here != count:
        raise SubmissionError("format", stage="stage", found="zip, several volumes")
    if start + length + _END.size + comment != size:
        raise SubmissionError("corrupt", stage="stage", path="")
    file.seek(start)
    members = [_central(file) for _ in range(count)]
    if file.tell() != start + length:
        raise SubmissionError("headers", stage="stage", path="")
    return start, members


def _end(file: BinaryIO, size: int) -> tuple[bytes, int, int, int, int, int, int, int]:
    tail = min(size, _END.size + 0xFFFF)
    file.seek(size - tail)
    data = file.read(tail)
    found = []
    at = data.find(b"PK\x05\x06")
    while at >= 0:
        if at + _END.size <= tail:
            fields = _END.unpack_from(data, at)
            if at + _END.size + fields[7] == tail:
                found.append(fields)
        at = data.find(b"PK\x05\x06", at + 1)
    if len(found) != 1:
        # None: cut short, or followed by something. Two: which one is read depends on the reader.
        raise SubmissionError("headers" if found else "corrupt", stage="stage", path="")
    return found[0]


def _central(file: BinaryIO) -> _Member:
    fields = _unpack(_CENTRAL, file, b"PK\x01\x02")
    _, made, _, flags, method, _, _, crc, packed, size, name_length, extra, comment, disk, _, attributes, offset = (
        fields
    )
    name = _exactly(file, name_length)
    _exactly(file, extra + comment)
    mode = attributes >> 16 if made >> 8 in _UNIX else 0
    text = decode_name(name)
    member = _Member(
        name, parts_of(text), text.endswith(("/", "\\")), bool(mode & 0o100), flags, method, crc, packed, size, offset
    )
    if flags & _ENCRYPTED or method == _AES:
        raise _refuse("encrypted", member)
    if method not in (_STORE, _DEFLATE) or disk:
        raise SubmissionError("format", stage="stage", found=f"zip, method {method}")
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        raise _refuse("link", member)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refuse("special", member)
    return member


def _count(members: list[_Member]) -> None:
    """Judge what the archive declares before a byte of it is written; what it holds is counted again later."""
    kept = [member for member in members if not left_out(member.parts)]
    files = sum(not member.folder for member in kept)
    if files > FILES or len(kept) - files > FOLDERS + 1:
        raise SubmissionError("count", stage="stage", files=FILES, folders=FOLDERS)
    total = 0
    for member in kept:
        total += member.size
        if member.size > FILE_BYTES or total > TOTAL_BYTES:
            raise too_big("/".join(member.parts))


def _member(file: BinaryIO, member: _Member, into: Folder) -> int:
    file.seek(member.offset)
    _, _, flags, method, _, _, crc, packed, size, name_length, extra = _unpack(_LOCAL, file, b"PK\x03\x04")
    name = _exactly(file, name_length)
    _exactly(file, extra)
    follow = bool(flags & _SIZES_FOLLOW)
    same = (crc, packed, size) == (member.crc, member.packed, member.size)
    later = follow and crc == 0 and packed in _LATER and size in _LATER
    if (name, method, flags) != (member.name, member.method, member.flags) or not (same or later):
        raise _refuse("headers", member)
    end = file.tell() + member.packed
    if member.folder or not member.parts:
        if member.size:
            raise _refuse("headers", member)
        if not left_out(member.parts):
            into.add_folder(member.parts)
    elif not left_out(member.parts):
        into.add_file(member.parts, member.executable, _content(file, member))
    return _descriptor(file, end, member) if follow else end


def _content(file: BinaryIO, member: _Member) -> Iterator[bytes]:
    left, size, crc = member.packed, 0, 0
    inflater = zlib.decompressobj(-15) if member.method == _DEFLATE else None
    while left:
        raw = _exactly(file, min(left, _CHUNK))
        left -= len(raw)
        for chunk in [raw] if inflater is None else _inflate(inflater, raw, member):
            size, crc = size + len(chunk), zlib.crc32(chunk, crc)
            if size > member.size:
                raise _refuse("headers", member)
            if MIB < size > _MEMBER_RATIO * member.packed:
                raise SubmissionError("ratio", stage="stage", path="/".join(member.parts), limit=_MEMBER_RATIO)
            yield chunk
    if size != member.size or crc != member.crc or (inflater is not None and not inflater.eof):
        raise _refuse("corrupt", member)


def _inflate(inflater: zlib._Decompress, raw: bytes, member: _Member) -> Iterator[bytes]:
    while raw:
        try:
            chunk = inflater.decompress(raw, _CHUNK)
        except zlib.error:
            raise _refuse("corrupt", member) from None
        if inflater.unused_data:
            raise _refuse("corrupt", member)
        raw = inflater.unconsumed_tail
        yield chunk
        while not raw and len(chunk) == _CHUNK:
            # The output limit was reached just as the input ran out: the rest waits inside.
            chunk = inflater.decompress(b"", _CHUNK)
            yield chunk


def _descriptor(file: BinaryIO, end: int, member: _Member) -> int:
    """Give the end of the sizes that follow a streamed member; they must be those of the directory."""
    file.seek(end)
    data = file.read(24)
    for sizes in ("<3L", "<L2Q"):
        expected = struct.pack(sizes, member.crc, member.packed, member.size)
        for candidate in (b"PK\x07\x08" + expected, expected):
            if data.startswith(candidate):
                return end + len(candidate)
    raise _refuse("headers", member)


def _unpack(layout: struct.Struct, file: BinaryIO, signature: bytes) -> tuple[int, ...]:
    fields = layout.unpack(_exactly(file, layout.size))
    if fields[0] != signature:
        raise SubmissionError("headers", stage="stage", path="")
    return fields


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise SubmissionError("corrupt", stage="stage", path="")
    return data


def _refuse(code: str, member: _Member) -> SubmissionError:
    return SubmissionError(code, stage="stage", path="/".join(member.parts))
