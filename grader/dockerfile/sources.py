"""Which files of the context a source of COPY or ADD names, and which of them are archives."""

from __future__ import annotations

import bz2
import lzma
import posixpath
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from grader.dockerfile.globs import BadPattern, SlowPattern, compile_glob

_HEAD = 4096
_BLOCK = 512


def plain(source: str) -> str:
    """Give a source as a path below the context's root; the root itself is the empty text."""
    return posixpath.normpath("/" + source).lstrip("/")


def matching(source: str, context: Iterable[str]) -> tuple[str, ...]:
    """Give the files that a source names, not those inside a folder that it names."""
    path = plain(source)
    if not has_wildcard(path):
        return tuple(file for file in context if file == path)
    try:
        pattern = compile_glob(re.sub(r"\*+", "*", path))
    except (BadPattern, SlowPattern):
        return ()
    return tuple(file for file in context if pattern.fullmatch(file))


def has_wildcard(source: str) -> bool:
    return re.search(r"[*?\[]", source) is not None


def archives_among(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Give the files that the builder's ADD would unpack: tar archives, compressed or not."""
    return frozenset(path for path in paths if _is_archive(root / path))


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    try:
        if head.startswith(b"\x1f\x8b"):
            head = zlib.decompressobj(31).decompress(head, _BLOCK)
        elif head.startswith(b"BZh"):
            # A block of bzip2 is too long to look into: the builder would, so it counts as an archive.
            bz2.BZ2Decompressor().decompress(head, _BLOCK)
            return True
        elif head.startswith((b"\xfd7zXZ\0", b"]\0\0")):
            head = lzma.LZMADecompressor(memlimit=1 << 26).decompress(head, _BLOCK)
        elif head.startswith(b"\x28\xb5\x2f\xfd"):
            return True
    except (zlib.error, lzma.LZMAError, OSError, EOFError):
        return False
    return _is_tar(head[:_BLOCK])


def _is_tar(block: bytes) -> bool:
    if len(block) < _BLOCK or not any(block):
        return False
    text = block[148:156].split(b"\0")[0].strip()
    total = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    return re.fullmatch(rb"[0-7]+", text) is not None and int(text, 8) == total
