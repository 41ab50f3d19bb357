"""Archives that lie, explode or reach outside: each is refused by name, and nothing of it stays."""

from __future__ import annotations

import io
import os
import random
import shutil
import stat
import struct
import tarfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import words
from grader.archives.child import outcome
from grader.errors import SubmissionError
from grader.records import Staged, Submission
from grader.staging import stage

MIB = 1 << 20
FUZZED = int(os.environ.get("ARCHIVES_FUZZED", "600"))
REF = {"Dockerfile": b"FROM python:3.11-slim\n", "app.py": b"print('hello')\n"}


def make_zip(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, data in files.items():
            member = zipfile.ZipInfo("x")
            member.filename = name
            member.external_attr = (stat.S_IFREG | mode) << 16
            member.compress_type = method
            archive.writestr(member, data)
    return buffer.getvalue()


def make_tar(members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz", **options: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, **options) as archive:  # type: ignore[call-overload]
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def regular(name: str, data: bytes = b"x", mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.mode = mode
    return member, data


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def hand_in(tmp_path: Path, data: bytes) -> Staged:
    source = tmp_path / "in"
    source.write_bytes(data)
    return stage(Submission(source=str(source)), tmp_path / "out")


def refusal(tmp_path: Path, data: bytes) -> SubmissionError:
    start = time.monotonic()
    with pytest.raises(SubmissionError) as raised:
        hand_in(tmp_path, data)
    assert [entry.name for entry in tmp_path.iterdir()] == ["in"]
    assert raised.value.stage == "stage"
    assert time.monotonic() - start < 10
    return raised.value


def contents(staged: Staged) -> dict[str, bytes]:
    return {file.path: Path(staged.root, file.path).read_bytes() for file in staged.files}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_ordinary_zip_is_copied_whole(tmp_path: Path, method: int) -> None:
    files = REF | {"data/a.bin": random.Random(1).randbytes(300_000), "empty": b""}
    assert contents(hand_in(tmp_path, make_zip(files, method))) == files


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_an_ordinary_tar_is_copied_whole(tmp_path: Path, mode: str, layout: int) -> None:
    long = "/".join(["d" * 60] * 3) + "/größe.py"
    members = [regular("./Dockerfile"), regular(long, b"y" * 5000, 0o755), special("./empty", tarfile.DIRTYPE)]
    staged = hand_in(tmp_path, make_tar(members, mode, format=layout))
    assert contents(staged) == {"Dockerfile": b"x", long: b"y" * 5000}
    assert [file.executable for file in staged.files] == [False, True]


def test_a_streamed_zip_with_sizes_after_the_data_is_read(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        for name, data in REF.items():
            archive.writestr(name, data)
    assert contents(hand_in(tmp_path, pipe.data)) == REF


def test_a_zip_with_a_comment_is_read(tmp_path: Path) -> None:
    buffer = io.BytesIO(make_zip(REF))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"3f1c" * 10
    assert contents(hand_in(tmp_path, buffer.getvalue())) == REF


def test_one_wrapping_folder_is_peeled_and_modes_are_kept(tmp_path: Path) -> None:
    """PV05: a zip with spaces and brackets in its one top folder, everything executable."""
    files = {"team 7 (final)/" + name: data for name, data in REF.items()} | {
        "team 7 (final)/src/app.py": b"pass",
        "team 7 (final)/README.pdf": random.Random(2).randbytes(2 * MIB),
        "__MACOSX/team 7 (final)/._app.py": b"litter",
        "team 7 (final)/.DS_Store": b"litter",
    }
    staged = hand_in(tmp_path, make_zip(files, mode=0o755))
    assert {file.path for file in staged.files} == {"Dockerfile", "app.py", "src/app.py", "README.pdf"}
    assert all(file.executable for file in staged.files)


def test_only_one_wrapping_folder_is_peeled(tmp_path: Path) -> None:
    assert set(contents(hand_in(tmp_path, make_zip({"a/b/app.py": b""})))) == {"b/app.py"}


def test_unicode_names_survive_and_accents_are_composed(tmp_path: Path) -> None:
    """PV09."""
    files = {"größe.py": b"1", "данные/веса.json": b"2", "模型.txt": b"3", "cafe\u0301.txt": b"4"}
    assert set(contents(hand_in(tmp_path, make_zip(files)))) == {"größe.py", "данные/веса.json", "模型.txt", "café.txt"}


def test_a_large_but_legal_archive_passes(tmp_path: Path) -> None:
    """PV16: 45 MiB of weights, 1,500 files, 14 levels, one path of 480 bytes."""
    deep = "/".join(["x" * 33] * 13) + "/" + "y" * 38
    assert len(deep) == 480 and deep.count("/") == 13
    files = REF | {"weights.bin": random.Random(3).randbytes(45 * MIB), deep: b""}
    files |= {f"data/{number:05}.txt": b"row\n" for number in range(1500)}
    staged = hand_in(tmp_path, make_zip(files))
    assert len(staged.files) == 1504


@pytest.mark.parametrize(
    "names",
    [
        ["../../pwn.txt", "a/../../../pwn2.txt"],
        ["/abs/pwn"],
        ["C:\\pwn"],
        ["\\\\host\\share\\pwn"],
        ["..\\..\\pwn"],
        ["a\\..\\..\\pwn"],
        ["__MACOSX/../../pwn"],
        ["a\u202egpj.py"],
        ["a\x1b[2J.py"],
        ["a\u0085b"],
        ["trailing."],
        ["trailing "],
        ["dir./file"],
    ],
)
def test_names_that_reach_outside_or_mislead_are_refused(tmp_path: Path, names: list[str]) -> None:
    """PH01 and PH02, and names that show as another one."""
    assert refusal(tmp_path, make_zip(REF | dict.fromkeys(names, b"x"))).code == "path"
    (tmp_path / "in").unlink()
    assert refusal(tmp_path, make_tar([regular(name) for name in names])).code == "path"


def test_a_name_with_a_nul_or_without_utf8_is_refused(tmp_path: Path) -> None:
    plain = make_zip({"abcdef": b"x"})
    assert refusal(tmp_path, plain.replace(b"abcdef", b"abc\0ef")).code == "path"
    assert refusal(tmp_path, plain.replace(b"abcdef", b"abc\xff\xfef")).code == "path"


def test_a_tar_cannot_write_through_its_own_link(tmp_path: Path) -> None:
    """PH03, with the link out of the folder and with one that stays inside."""
    canary = tmp_path.parent / f"{tmp_path.name}-canary"
    canary.mkdir()
    for target in (str(canary), f"../{canary.name}"):
        members = [regular("Dockerfile"), special("d", tarfile.SYMTYPE, target), regular("d/pwn")]
        assert refusal(tmp_path, make_tar(members)).code == "link"
    members = [regular("e/keep"), special("d", tarfile.SYMTYPE, "e"), regular("d/pwn")]
    assert refusal(tmp_path, make_tar(members)).code == "link"
    assert not list(canary.iterdir())


def test_relative_links_of_a_tar_become_copies(tmp_path: Path) -> None:
    members = [
        regular("top/src/run.sh", b"#!/bin/sh\n", 0o755),
        special("top/run", tarfile.SYMTYPE, "src/run.sh"),
        special("top/lib/code", tarfile.SYMTYPE, "../src"),
    ]
    staged = hand_in(tmp_path, make_tar(members))
    assert set(contents(staged)) == {"src/run.sh", "run", "lib/code/run.sh"}
    assert all(file.executable for file in staged.files)
    assert not any(path.is_symlink() for path in Path(staged.root).rglob("*"))


@pytest.mark.parametrize(
    ("kind", "target", "code"),
    [
        (tarfile.SYMTYPE, "/etc/passwd", "link"),
        (tarfile.SYMTYPE, "../../x", "link"),
        (tarfile.SYMTYPE, "missing", "link"),
        (tarfile.SYMTYPE, "self", "link"),
        (tarfile.SYMTYPE, "", "link"),
        (tarfile.LNKTYPE, "Dockerfile", "link"),
        (tarfile.FIFOTYPE, "", "special"),
        (tarfile.CHRTYPE, "", "special"),
        (tarfile.BLKTYPE, "", "special"),
        (tarfile.GNUTYPE_SPARSE, "", "special"),
        (b"Z", "", "format"),
    ],
)
def test_other_kinds_of_tar_members_are_refused(tmp_path: Path, kind: bytes, target: str, code: str) -> None:
    data = make_tar([regular("Dockerfile"), special("self", kind, target)], "w", format=tarfile.USTAR_FORMAT)
    assert refusal(tmp_path, data).code == code


def test_links_and_pipes_of_a_zip_are_refused(tmp_path: Path) -> None:
    for kind, code in ((stat.S_IFLNK, "link"), (stat.S_IFIFO, "special"), (stat.S_IFCHR, "special")):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            member = zipfile.ZipInfo("x")
            member.external_attr = (kind | 0o777) << 16
            archive.writestr(member, "/etc/passwd")
        assert refusal(tmp_path, buffer.getvalue()).code == code


def test_a_gibibyte_of_zeros_is_refused_unwritten(tmp_path: Path) -> None:
    """PH04."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Dockerfile", "FROM python:3.11\n")
        with archive.open("zeros.bin", "w", force_zip64=True) as file:
            for _ in range(1024):
                file.write(bytes(MIB))
    assert refusal(tmp_path, buffer.getvalue()).code in ("ratio", "size")


def lie_about_size(data: bytes, true: int, told: int) -> bytes:
    return data.replace(struct.pack("<L", true), struct.pack("<L", told))


def test_a_bomb_that_lies_about_its_size_is_stopped_while_writing(tmp_path: Path) -> None:
    data = lie_about_size(make_zip({"zeros": bytes(40 * MIB)}), 40 * MIB, 1000)
    assert refusal(tmp_path, data).code in ("headers", "ratio")


def test_ratio_counts_beyond_the_first_mebibyte(tmp_path: Path) -> None:
    assert len(hand_in(tmp_path, make_zip({"zeros": bytes(MIB)})).files) == 1
    other = tmp_path / "other"
    other.mkdir()
    assert refusal(other, make_zip({"zeros": bytes(MIB + 1)})).code == "ratio"
    third = tmp_path / "third"
    third.mkdir()
    assert refusal(third, make_tar([regular("zeros", bytes(8 * MIB))])).code == "ratio"


def test_a_hundred_thousand_members_are_refused_by_their_number(tmp_path: Path) -> None:
    """PH05."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(100_000):
            archive.writestr(zipfile.ZipInfo(f"n/{number:05}"), b"")
    assert refusal(tmp_path, buffer.getvalue()).code == "count"
    assert refusal(tmp_path, make_tar([regular(f"n/{number}", b"") for number in range(2501)])).code == "count"


@pytest.mark.parametrize("pack", [make_zip, lambda files: make_tar([regular(*each) for each in files.items()], "w")])
def test_counts_on_both_sides(tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    files = {f"f{number}": b"" for number in range(2000)}
    assert len(hand_in(tmp_path, pack(files)).files) == 2000
    other = tmp_path / "other"
    other.mkdir()
    assert refusal(other, pack(files | {"one more": b""})).code == "count"


def test_file_size_on_both_sides(tmp_path: Path) -> None:
    data = random.Random(4).randbytes(MIB) * 50
    tar = make_tar([regular("Dockerfile"), regular("big", data)], "w")
    assert len(tar) > 50 * MIB
    assert refusal(tmp_path, tar).code == "upload"
    compressed = io.BytesIO()
    with zipfile.ZipFile(compressed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            archive.writestr(f"big{number}", b"ab" * (8 * MIB) + random.Random(number).randbytes(MIB))
    assert len(hand_in(tmp_path, compressed.getvalue()).files) == 2


def test_depth_on_both_sides(tmp_path: Path) -> None:
    legal = "/".join(["d"] * 16)
    assert set(contents(hand_in(tmp_path, make_zip({"other": b"", legal: b""})))) == {"other", legal}
    other = tmp_path / "other"
    other.mkdir()
    assert refusal(other, make_zip({"other": b"", legal + "/d": b""})).code == "depth"
    third = tmp_path / "third"
    third.mkdir()
    assert refusal(third, make_zip({"other": b"", "n" * 201: b""})).code == "depth"


@pytest.mark.parametrize("pair", [("a", "a"), ("Readme", "README"), ("caf\u00e9", "cafe\u0301"), ("a", "a/b")])
def test_names_that_collide_are_refused(tmp_path: Path, pair: tuple[str, str]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in pair:
            archive.writestr(name, "x")
    assert refusal(tmp_path, buffer.getvalue()).code == "duplicate"
    assert refusal(tmp_path, make_tar([regular(name) for name in pair])).code == "duplicate"


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
        start = time.monotonic()
        result = outcome(io.BytesIO(mutated(seeds[number % len(seeds)], chance)), root)
        assert time.monotonic() - start < 2
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
