"""Group A: submissions that attack whoever unpacks them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .archives import MIB, Member, stored, stored_all, tarred, zeros, zipped
from .case import STAGING_SECONDS, Archive, Case, Expect, Folder, Maker, Setting, Submission, rejected
from .pieces import reference


def _case(expect: Expect, *submissions: Submission) -> Case:
    return Case(100, STAGING_SECONDS, expect, submissions)


def _zip_with(setting: Setting, *members: Member) -> Archive:
    return zipped([*stored_all(reference(setting.params["BASE"])), *members])


def _zip_slip(setting: Setting) -> Case:
    members = [stored(name, b"x") for name in ("../../pwn.txt", "a/../../../pwn2.txt")]
    return _case(rejected("STAGE", "path"), _zip_with(setting, *members))


def _foreign_absolute_names(setting: Setting) -> Case:
    names = (b"/abs/pwn", rb"C:\pwn", rb"\\host\share\pwn", rb"..\..\pwn")
    return _case(rejected("STAGE", "path"), *(_zip_with(setting, stored(name, b"x")) for name in names))


def _write_through_a_link(setting: Setting) -> Case:
    """The link comes first, so that an unpacker that follows it writes beside the canary."""
    watched = os.path.dirname(setting.params["HOST_CANARY"])
    members: dict[str, bytes | str] = {**reference(setting.params["BASE"]), "d": watched, "d/pwn": b"x"}
    return _case(rejected("STAGE", "link"), tarred(members))


def _deflate_bomb(setting: Setting) -> Case:
    expect = rejected("STAGE", "ratio", "size", written_mib=100)
    return _case(expect, _zip_with(setting, zeros("zeros.bin", 1024 * MIB)))


def _many_members(setting: Setting) -> Case:
    def empty() -> Iterator[Member]:
        for number in range(100_000):
            yield stored(f"n/{number:05}")

    return _case(rejected("STAGE", "count", members=2_501), _zip_with(setting, *empty()))


def _fifo(setting: Setting) -> Case:
    return _case(rejected("STAGE", "special"), Folder(reference(setting.params["BASE"]), fifos=(".dockerignore",)))


MAKERS: dict[str, Maker] = {
    "PH01": _zip_slip,
    "PH02": _foreign_absolute_names,
    "PH03": _write_through_a_link,
    "PH04": _deflate_bomb,
    "PH05": _many_members,
    "PH06": _fifo,
}
