"""Honest archives of every usual make that are refused, or unpacked into something else than was packed."""

from __future__ import annotations

import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from .conftest import MIB, REF, contents, hand_in, make_tar, make_zip, regular, special


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
