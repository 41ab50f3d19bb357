"""Archives that lie, contradict themselves or are broken: each is refused by name, none crashes or escapes."""

from __future__ import annotations

import io
import os
import random
import shutil
import tarfile
import time
import zipfile
import zlib
from pathlib import Path

import pytest

from grader import words
from grader.archives.child import outcome

from .conftest import REF, make_tar, make_zip, refusal, regular, special

FUZZED = int(os.environ.get("ARCHIVES_FUZZED", "600"))


def test_encryption_is_named(tmp_path: Path) -> None:
    data = bytearray(make_zip({"a": b"x"}))
    data[6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    assert refusal(tmp_path, bytes(data)).code == "encrypted"


def test_local_and_central_headers_must_agree(tmp_path: Path) -> None:
    data = make_zip({"aaaa": b"x" * 100})
    assert refusal(tmp_path, data.replace(b"aaaa", b"bbbb", 1)).code == "headers"
    local = bytearray(data)
    local[8] = 0
    assert refusal(tmp_path, bytes(local)).code == "headers"
    local = bytearray(data)
    local[22] ^= 1
    assert refusal(tmp_path, bytes(local)).code == "headers"


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    """Two directory entries for the same bytes: the way to a bomb that no member's ratio shows."""
    data = bytearray(make_zip({"aaaa": b"x", "bbbb": b"x"}, zipfile.ZIP_STORED))
    second = data.rfind(b"PK\x01\x02")
    data[second + 42 : second + 46] = bytes(4)
    assert refusal(tmp_path, bytes(data)).code == "headers"


def test_garbage_before_between_and_after_is_refused(tmp_path: Path) -> None:
    data = make_zip(REF)
    for broken in (data + b"x", b"PK\x03\x04" + data, data[:-10], data[: len(data) // 2]):
        assert refusal(tmp_path, broken).code in ("corrupt", "headers")
    tar = make_tar([regular("a")])
    plain = make_tar([regular("a")], "w")
    for broken in (tar + b"x", tar + tar, tar[:-4], plain + b"x" * 512, plain[:1024], plain[:700]):
        assert refusal(tmp_path, broken).code == "corrupt"


def test_two_ends_of_one_zip_are_refused(tmp_path: Path) -> None:
    """A second end record inside the comment: which one counts depends on the reader."""
    inner = make_zip({"evil": b"x"})[-22:]
    buffer = io.BytesIO(make_zip(REF))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = inner
    assert refusal(tmp_path, buffer.getvalue()).code == "headers"


def test_wrong_checksums_are_refused(tmp_path: Path) -> None:
    data = make_zip({"a": b"hello"}, zipfile.ZIP_STORED)
    assert refusal(tmp_path, data.replace(b"hello", b"hellO")).code == "corrupt"
    plain = bytearray(make_tar([regular("a")] * 2 if False else [regular("a"), regular("b")], "w"))
    plain[1024] ^= 1
    assert refusal(tmp_path, bytes(plain)).code == "corrupt"


@pytest.mark.parametrize("data", [b"", b"hello", b"Rar!\x1a\x07\x00", b"7z\xbc\xaf\x27\x1c", b"BZh9" + bytes(600)])
def test_other_formats_are_named(tmp_path: Path, data: bytes) -> None:
    assert refusal(tmp_path, data).code == "format"


def test_a_gzip_of_something_else_is_not_an_archive(tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=31)
    assert refusal(tmp_path, packer.compress(b"text" * 500) + packer.flush()).code == "format"


def test_a_bzip2_member_of_a_zip_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, make_zip({"a": b"x"}, zipfile.ZIP_BZIP2)).code == "format"


def test_damaged_archives_never_crash_nor_escape(tmp_path: Path) -> None:
    """Bytes flipped, cut and doubled: each ends as a submission or as a named refusal."""
    chance = random.Random(7)
    folder = special("e", tarfile.DIRTYPE)
    link = special("l", tarfile.SYMTYPE, "d/e")
    seeds = [
        make_zip(REF | {"d/e": b"z" * 2000}),
        make_tar([regular("Dockerfile"), regular("d/e", b"z" * 2000), link, folder], "w"),
        make_tar([regular("d" * 150 + "/ü"), link], "w", format=tarfile.PAX_FORMAT),
        make_tar([regular("Dockerfile"), regular("d/e", b"z" * 2000), link]),
    ]
    inner = tmp_path / "a" / "b"
    for number in range(FUZZED):
        inner.mkdir(parents=True)
        root = os.open(inner, os.O_RDONLY)
        start = time.process_time()
        result = outcome(io.BytesIO(mutated(seeds[number % len(seeds)], chance)), root)
        assert time.process_time() - start < 5
        os.close(root)
        assert not result or words.known(str(result["code"])), result
        assert [path.name for path in tmp_path.rglob("*") if inner not in path.parents] == ["a", "b"]
        shutil.rmtree(tmp_path / "a")


def mutated(seed: bytes, chance: random.Random) -> bytes:
    data = bytearray(seed)
    # Most of an archive is content: half of the blows go to its beginning and its end, where headers are.
    spots = [
        chance.randrange(len(data)),
        chance.randrange(min(600, len(data))),
        -1 - chance.randrange(min(300, len(data))),
    ]
    for _ in range(chance.randint(1, 6)):
        data[chance.choice(spots)] = chance.choice([0, 1, 0x2E, 0x2F, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    if chance.random() < 0.2:
        del data[chance.randrange(len(data)) :]
    if chance.random() < 0.1:
        data += data[chance.randrange(len(data) + 1) :]
    return bytes(data)
