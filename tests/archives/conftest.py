"""Archives made in memory, honest or not, and what comes of handing them in."""

from __future__ import annotations

import io
import stat
import tarfile
import time
import warnings
import zipfile
from pathlib import Path

import pytest

from grader.errors import SubmissionError
from grader.records import Staged, Submission
from grader.staging import stage

MIB = 1 << 20
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
