"""Hostile archives by number: each number makes the same bytes again, here and on any machine."""

from __future__ import annotations

import io
import random
import stat
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

MIB = 1 << 20
Maker = Callable[[random.Random, str], bytes]
REF = {"Dockerfile": b"FROM python:3.11-slim\nCOPY . .\n", "app/main.py": b"print('hello')\n" * 40, "d/e": b"z" * 3000}
NUMBERS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
# Offset and width of the fields of a zip's local header, its directory's entry and its end.
LOCAL = ((4, 2), (6, 2), (8, 2), (10, 2), (12, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))
CENTRAL = (*((at + 2, width) for at, width in LOCAL), (4, 2), (32, 2), (34, 2), (36, 2), (38, 4), (42, 4))
END = ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))
TAR = ((0, 100), (100, 8), (108, 8), (124, 12), (136, 12), (148, 8), (156, 1), (157, 100), (257, 8), (345, 155))
TYPES = b"\x000123456789ALKSDVNMxgX\xff"
NAMES = (
    "../pwn", "../../outside/pwn", "a/../../outside/pwn", "{outside}/pwn", "/{outside}/pwn", "C:\\pwn", "c:pwn",
    "\\\\host\\pwn", "..\\..\\outside\\pwn", "a\\..\\..\\..\\pwn", "./../pwn", "a/./../../pwn", "", ".", "..", "/",
    "\\", "a//b", "a/", "nul\0name", "line\nfeed", "esc\x1b[2J", "gpj\u202e.py", "\u200fmark", "dot.", "blank ",
    "dir /x", "ſ", "s", "S", "cafe\u0301", "café", "Dockerfile", "DOCKERFILE", "Dockerfile/x", "n" * 201, "n" * 5000,
    "d/" * 40 + "x", "__MACOSX/../../pwn", ".git/config", "._x", "í\xa0\x80", "con", "~/x", "$HOME/x", "-rf",
    "{outside}", "../in", "../out", "..\u2215pwn", "．．/pwn", "%2e%2e/pwn", "conftest.py", "a\0/b",
)  # fmt: skip
TARGETS = ("{outside}", "../outside", "../../outside", "/", "..", ".", "x", "a/../..", "d", "self", "/etc/passwd", "")


def archive(number: int, outside: str) -> tuple[str, bytes]:
    """The kind and the bytes of one archive; `outside` is the folder that its hostile names aim at."""
    kind = tuple(MAKERS)[number % len(MAKERS)]
    return kind, MAKERS[kind](random.Random(f"archive {number}"), outside)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, kind: int = stat.S_IFREG) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as packed, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, data in files.items():
            member = zipfile.ZipInfo("x")
            member.filename, member.compress_type = name, method
            member.external_attr = (kind | 0o644) << 16
            packed.writestr(member, data)
    return buffer.getvalue()


def tarred(members: list[tuple[str, bytes, bytes, str]], layout: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of (name, content, type, target)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=layout, errors="surrogateescape") as packed:
        for name, data, kind, target in members:
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(data), kind, target
            packed.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def files(*names: str, data: bytes = b"pwned") -> list[tuple[str, bytes, bytes, str]]:
    return [(name, data, tarfile.REGTYPE, "") for name in names]


def gzipped(data: bytes, level: int = 6) -> bytes:
    packer = zlib.compressobj(level, wbits=31)
    return packer.compress(data) + packer.flush()


@cache
def honest() -> tuple[bytes, ...]:
    """Whole archives of every layout that is read."""
    regular = [member for name, data in REF.items() for member in files(name, data=data)]
    linked = [*regular, ("d/link", b"", tarfile.SYMTYPE, "e"), ("folder/", b"", tarfile.DIRTYPE, "")]
    tars = [tarred(linked, layout) for layout in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]
    tars.append(tarred([("d" * 150 + "/ü", b"x" * 700, tarfile.REGTYPE, ""), *linked]))
    wrapped = {f"team 7/{name}": data for name, data in REF.items()}
    return (zipped(REF), zipped(REF, zipfile.ZIP_STORED), zipped(wrapped), *tars, *map(gzipped, tars))


def flips(chance: random.Random, outside: str) -> bytes:
    """A few bytes of an archive changed; of a compressed tar, before or after it is compressed."""
    seed = chance.choice(honest())
    inside = seed.startswith(b"\x1f\x8b") and chance.random() < 0.7
    data = bytearray(zlib.decompress(seed, 31) if inside else seed)
    near = [chance.randrange(len(data)), chance.randrange(min(600, len(data))), -1 - chance.randrange(200)]
    for _ in range(chance.randint(1, 6)):
        at = chance.choice(near) - chance.randint(0, 3)
        data[at] = chance.choice([0, 1, 0x2F, 0x7F, 0xFF, chance.randrange(256)])
    if not seed.startswith(b"PK") and chance.random() < 0.7 and not (seed.startswith(b"\x1f") and not inside):
        summed(data)
    return gzipped(bytes(data)) if inside else bytes(data)


def cut(chance: random.Random, outside: str) -> bytes:
    """Cut short, doubled, or continued with a piece of another archive."""
    data, other = chance.choice(honest()), chance.choice(honest())
    at, there = chance.randrange(len(data) + 1), chance.randrange(len(other))
    return chance.choice([data[:at], data + data[at:], data[:at] + other[there:], other[:there] + data, data + other])


def fields(chance: random.Random, outside: str) -> bytes:
    """Header fields set to numbers that readers trip over; in a zip also in both places at once."""
    seed = chance.choice(honest())
    if seed.startswith(b"PK"):
        return zip_fields(bytearray(seed), chance)
    packed = seed.startswith(b"\x1f\x8b")
    data = bytearray(zlib.decompress(seed, 31) if packed else seed)
    for _ in range(chance.randint(1, 3)):
        block = chance.choice([at for at in range(0, len(data), 512) if is_header(data[at : at + 512])] or [0])
        at, width = chance.choice(TAR)
        value = chance.choice([
            b"%0*o" % (width - 1, chance.choice(NUMBERS)), b"\x80" + chance.randbytes(width - 1), b"\xff" * width,
            b"\x80" + bytes(width - 9) + struct.pack(">Q", chance.choice(NUMBERS)) if width > 8 else b"-1",
            chance.randbytes(width), b" " * width, bytes([chance.choice(TYPES)]),
            chance.choice(NAMES).format(outside=outside).encode("utf-8", "replace"),
        ])  # fmt: skip
        data[block + at : block + at + width] = value[:width].ljust(width, b"\0")
    if chance.random() < 0.85:
        summed(data)
    return gzipped(bytes(data)) if packed else bytes(data)


def zip_fields(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 3)):
        spots = {mark: places(data, mark) for mark in (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06")}
        value = chance.choice([*NUMBERS, chance.randrange(1 << 16), chance.randrange(len(data))])
        if chance.random() < 0.4 and spots[b"PK\x03\x04"] and spots[b"PK\x01\x02"]:
            at, width = chance.choice(LOCAL)
            which = chance.randrange(len(spots[b"PK\x03\x04"]))
            put(data, spots[b"PK\x03\x04"][which] + at, width, value)
            put(data, spots[b"PK\x01\x02"][which % len(spots[b"PK\x01\x02"])] + at + 2, width, value)
            continue
        mark, table = chance.choice([(b"PK\x03\x04", LOCAL), (b"PK\x01\x02", CENTRAL), (b"PK\x05\x06", END)])
        if spots[mark]:
            at, width = chance.choice(table)
            put(data, chance.choice(spots[mark]) + at, width, value)
    return bytes(data)


def names(chance: random.Random, outside: str) -> bytes:
    """Members whose names reach outside, collide or mislead."""
    chosen = [name.replace("{outside}", outside) for name in chance.sample(NAMES, chance.randint(1, 3))]
    if chance.random() < 0.5:
        return zipped(REF | dict.fromkeys(chosen, b"pwned"))
    layout = chance.choice([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    try:
        data = tarred(files("Dockerfile", *chosen), layout)
    except ValueError:  # too long for the oldest layout
        data = tarred(files(*chosen))
    return gzipped(data) if chance.random() < 0.5 else data


def links(chance: random.Random, outside: str) -> bytes:
    """Links and devices, then members that would be written through them."""
    kinds = (tarfile.SYMTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.CONTTYPE)
    if chance.random() < 0.15:
        kind = chance.choice([stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFDIR])
        return zipped({"x": outside.encode(), "x/pwn": b"pwned"}, kind=kind)
    members = files("keep/file")
    for _ in range(chance.randint(1, 4)):
        target = chance.choice([*TARGETS, "keep", "keep/file", "l0", "l1", "l2"]).replace("{outside}", outside)
        members.append((f"l{chance.randrange(3)}", b"", chance.choice(kinds), target))
    for _ in range(chance.randint(0, 3)):
        members += files(f"l{chance.randrange(3)}/{chance.choice(['pwn', '../pwn', 'l1/pwn', 'file'])}")
    if chance.random() < 0.3:
        chance.shuffle(members)
    return gzipped(tarred(members))


def bombs(chance: random.Random, outside: str) -> bytes:
    """Little that becomes much: content, members, headers, padding, lies about sizes."""
    return chance.choice(BOMBS)(chance)


@cache
def zeros(mebibytes: int, wbits: int) -> bytes:
    packer = zlib.compressobj(1, wbits=wbits)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(mebibytes)) + packer.flush()


@cache
def sum_of_zeros(mebibytes: int) -> int:
    total = 0
    for _ in range(mebibytes):
        total = zlib.crc32(bytes(MIB), total)
    return total


def zip_of_zeros(chance: random.Random) -> bytes:
    """Headers that are true, that lie about what comes out, or that stand for the same bytes several times."""
    mebibytes = chance.choice([1, 2, 40, 60, 300])
    packed = zeros(mebibytes, -15)
    told = chance.choice([mebibytes * MIB, mebibytes * MIB, 1000, 49 * MIB, 0])
    header = struct.pack("<5H3L2H", 20, 0, 8, 0, 0, sum_of_zeros(mebibytes), len(packed), told, 1, 0)
    local = b"PK\x03\x04" + header + b"z" + packed
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + header + struct.pack("<3H2L", 0, 0, 0, 0, 0) + b"z"
    times = chance.choice([1, 1, 3])
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, times, times, times * len(entry), len(local), 0)
    return local + entry * times + end


def tar_of_zeros(chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return zeros(chance.choice([1, 40, 200]), 31)
    return gzipped(tarred(files("zeros", data=bytes(chance.choice([1, 8, 51, 101]) * MIB))), 1)


def many_members(chance: random.Random) -> bytes:
    count, folders = chance.choice([1999, 2001, 2501, 6000]), chance.random() < 0.3
    if chance.random() < 0.5:
        return zipped({f"n/{number}{'/' * folders}": b"" for number in range(count)}, zipfile.ZIP_STORED)
    kind = tarfile.DIRTYPE if folders else tarfile.REGTYPE
    return gzipped(tarred([(f"n/{number}", b"", kind, "") for number in range(count)], tarfile.USTAR_FORMAT), 1)


def long_headers(chance: random.Random) -> bytes:
    """Extended headers without end, or of sizes that nobody has."""
    data = bytearray(tarred(files("x" * 300), chance.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])))
    data[124:136] = b"%011o\0" % chance.choice([1 << 16, (1 << 16) + 1, 1 << 30, 8**11 - 1])
    summed(data)
    return gzipped(bytes(data[:1024]) * chance.choice([1, 50, 3000]), 1)


BOMBS = (zip_of_zeros, tar_of_zeros, many_members, long_headers)
MAKERS: dict[str, Maker] = {
    "flips": flips, "fields": fields, "names": names, "links": links, "cut": cut, "fields again": fields,
    "names again": names, "flips again": flips, "links again": links, "bombs": bombs,
}  # fmt: skip


def places(data: bytes | bytearray, mark: bytes) -> list[int]:
    found, at = [], data.find(mark)
    while at >= 0:
        found.append(at)
        at = data.find(mark, at + 1)
    return found


def put(data: bytearray, at: int, width: int, value: int) -> None:
    if at + width <= len(data):
        data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, "little")


def is_header(block: bytes | bytearray) -> bool:
    text = bytes(block[148:156]).split(b"\0")[0].strip()
    return any(block) and text.isdigit() and not set(text) & set(b"89") and int(text, 8) == checksum(block)


def checksum(block: bytes | bytearray) -> int:
    return sum(block) - sum(block[148:156]) + 8 * ord(" ")


def summed(data: bytearray) -> None:
    """Make the sums of a tar's headers right again, so that the reader gets past them."""
    for at in range(0, len(data) - 511, 512):
        if data[at + 257 : at + 262] == b"ustar" or at == 0:
            data[at + 148 : at + 156] = b"%06o\0 " % checksum(data[at : at + 512])
