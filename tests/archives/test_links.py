"""Links, pipes and devices that lead out of the folder or are no files: refused, and nothing goes through them."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from .conftest import contents, hand_in, make_tar, refusal, regular, special


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
