"""Finds pickle streams in a file: bare, behind other bytes, in zip members, compressed; nothing is unpickled."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from grader.artifacts.opcodes import OPCODES, UNTOLD, Told, walk
from grader.artifacts.refused import shown

SHOWN = 20
UNPACKED = 128 << 20
MEMBERS = 2_000
_DEPTH = 3
_ALL_OPCODES = 3_000_000
_STARTS = re.compile(
    rb"\x80[\x00-\x05](?=[\x8a-\x8e\x93-\x98()\]}cJKMNGTUX\x88\x89BC])"  # PROTO and an opcode that may come first
    rb"|c[A-Za-z_][\w.]{0,200}\n[A-Za-z_][\w.]{0,200}\n"  # GLOBAL
    rb"|\x8c[\x01-\x7f][A-Za-z_][\w.]{0,126}\x94?\x8c[\x01-\x7f][A-Za-z_][\w.]{0,126}\x94?\x93"  # STACK_GLOBAL
)
_PACKED: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ", lzma.LZMADecompressor),
    (b"\x5d\x00\x00", lzma.LZMADecompressor),
    *((bytes([0x78, level]), zlib.decompressobj) for level in (0x01, 0x5E, 0x9C, 0xDA)),
)


class Finder:
    """Looks through one file; what it has still to spend is shared by all that lies in it."""

    def __init__(self) -> None:
        self._opcodes = _ALL_OPCODES
        self._bytes = UNPACKED
        self._members = MEMBERS
        self.found: list[str] = []

    def look(self, data: bytes, name: str = "", depth: int = 0) -> None:
        """Add to `found` where streams begin: `@OFFSET`, or `MEMBER@OFFSET` inside an archive."""
        if len(self.found) >= SHOWN:
            return
        known = len(self.found)
        if depth < _DEPTH:
            for member, content in self._inside(data):
                self.look(content, f"{name}/{member}".lstrip("/"), depth + 1)
        if len(self.found) == known:
            self.found += [f"{name}@{offset}" for offset in self._streams(data)]

    def _streams(self, data: bytes) -> Iterator[int]:
        if self._begins(data):
            yield 0
            return
        for match in _STARTS.finditer(data):
            if self._opcodes <= 0:
                # Too many things that look like a beginning: that is no honest file either.
                yield match.start()
                return
            told = self._walk(data, match.start())
            proto = data[match.start()] == 0x80
            named = any(name != UNTOLD for name in told.imports)
            if told.imports and (told.called or (named and proto)):
                yield match.start()
                return

    def _begins(self, data: bytes) -> bool:
        """Whether the data as a whole are a pickle: also one that imports nothing, also one that is cut short."""
        told = self._walk(data, 0)
        if data[:1] == b"\x80" and data[1:2] <= b"\x05":
            return told.stopped or bool(told.imports) or told.opcodes >= 200
        ends = told.stopped and not data[told.end :].strip()
        return ends or told.opcodes >= OPCODES or bool(told.imports and (told.called or told.stopped))

    def _walk(self, data: bytes, start: int) -> Told:
        told = walk(data, start)
        self._opcodes -= told.opcodes + 1
        return told

    def _inside(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """What an archive or a compressed file holds; what cannot be read as one holds nothing."""
        for magic, make in _PACKED:
            if data.startswith(magic):
                content = self._unpack(make, data)
                if content:
                    yield "", content
                return
        if b"PK\x05\x06" not in data[-(1 << 16) - 22 :]:
            return
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                yield from self._read(archive)
        except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, OverflowError):
            return

    def _read(self, archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
        for member in archive.infolist():
            self._members -= 1
            if self._members < 0:
                return
            try:
                with archive.open(member) as file:
                    content = self._bounded(file)
            except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, ValueError, OSError, EOFError):
                continue
            yield shown(member.filename), content

    def _bounded(self, file: BinaryIO | Any) -> bytes:
        content: bytes = file.read(max(0, self._bytes))
        self._bytes -= len(content)
        return content

    def _unpack(self, make: Callable[[], Any], data: bytes) -> bytes:
        try:
            content: bytes = make().decompress(data, max(1, self._bytes))
        except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError):
            return b""
        self._bytes -= len(content)
        return content
