"""Archives written field by field, so that a name or a size stays as hostile as it was meant."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .case import Archive

MIB = 1 << 20
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_UTF8 = 0x0800
_DATE = (2026 - 1980) << 9 | 1 << 5 | 1
_UNIX, _REGULAR, _DIRECTORY = 3 << 8, 0o100000, 0o040000
_BLOCK = 16 * MIB


@dataclass(frozen=True)
class Member:
    """A member of a zip, packed already. Mode 0 is an archive from a system without modes."""

    name: bytes
    packed: bytes
    size: int
    crc: int
    method: int = 0
    mode: int = _REGULAR | 0o644


def stored(name: str | bytes, data: bytes = b"", mode: int = 0o644) -> Member:
    """Give a member with its bytes as they are; a name that ends in a slash is a folder."""
    raw = name.encode() if isinstance(name, str) else name
    kind = _DIRECTORY if raw.endswith(b"/") else _REGULAR
    return Member(raw, data, len(data), zlib.crc32(data), mode=kind | mode if mode else 0)


def stored_all(files: Mapping[str, bytes], mode: int = 0o644) -> list[Member]:
    """Give a member for each file of a folder."""
    return [stored(name, data, mode) for name, data in files.items()]


def zeros(name: str, size: int) -> Member:
    """Give a member of zeros, packed about a thousand to one."""
    packed, crc = deflated_zeros(size)
    return Member(name.encode(), packed, size, crc, method=8)


def deflated_zeros(size: int) -> tuple[bytes, int]:
    """Give a raw deflate stream of `size` zeros, a multiple of 16 MiB, and the CRC of what it holds."""
    block, crc = bytes(_BLOCK), 0
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    # After a full flush the packer remembers nothing, so the same bytes can follow themselves.
    piece = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    count, rest = divmod(size, _BLOCK)
    if rest:
        raise ValueError(f"{size} is not a multiple of {_BLOCK}")
    for _ in range(count):
        crc = zlib.crc32(block, crc)
    return piece * count + b"\x03\x00", crc


def zipped(members: Iterable[Member]) -> Archive:
    """Give the zip of these members, in this order."""
    body, directory, count = bytearray(), bytearray(), 0
    for member in members:
        flags = 0 if member.name.isascii() else _UTF8
        sizes = (member.crc, len(member.packed), member.size, len(member.name), 0)
        made = 20 | (_UNIX if member.mode else 0)
        directory += _CENTRAL.pack(
            b"PK\x01\x02", made, 20, flags, member.method, 0, _DATE, *sizes, 0, 0, 0, member.mode << 16, len(body)
        )
        directory += member.name
        body += _LOCAL.pack(b"PK\x03\x04", 20, flags, member.method, 0, _DATE, *sizes)
        body += member.name + member.packed
        count += 1
    return Archive(".zip", bytes(body + directory) + _end(count, len(directory), len(body)))


def _end(count: int, length: int, start: int) -> bytes:
    if count < 0xFFFF:
        return _END.pack(b"PK\x05\x06", 0, 0, count, count, length, start, 0)
    large = _END64.pack(b"PK\x06\x06", _END64.size - 12, 45, 45, 0, 0, count, count, length, start)
    locator = _LOCATOR.pack(b"PK\x06\x07", 0, start + length, 1)
    return large + locator + _END.pack(b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, length, start, 0)


def tarred(members: Mapping[str, bytes | str]) -> Archive:
    """Give the tar.gz of these members, in this order; text instead of bytes is where a symbolic link points."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return Archive(".tar.gz", gzip.compress(buffer.getvalue(), mtime=0))


def gzipped_zeros(size: int) -> bytes:
    """Give a gzip file of `size` zeros."""
    packed, crc = deflated_zeros(size)
    return b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + packed + struct.pack("<2L", crc, size & 0xFFFFFFFF)
