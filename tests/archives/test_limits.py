"""Archives that explode: size, ratio, number and depth are stopped at their limits, and what is within them passes."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import MIB, contents, hand_in, make_tar, make_zip, refusal, regular


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
