"""The corpus is worth what its generator is: each submission must truly be what its case says."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .gen import CASES, gen

PARAMS = {
    "BASE": "base:1",
    "BASE_WEB": "web:1",
    "BADBASE": "bad:1",
    "CANARY_URL": "http://127.0.0.1:9/canary",
    "HOST_CANARY": "/nowhere/watched/canary.txt",
    "TOKEN_IMG": "0" * 32,
}
CLASSES = {
    "REJECT_STAGE", "REJECT_POLICY", "BUILD_FAIL", "BUILD_TIMEOUT", "BUILD_LIMIT", "NOT_READY", "RUN_LIMIT", "GRADED",
    "NB_ERROR", "NB_TIMEOUT", "NB_LIMIT", "ARTIFACT_REJECT",
}  # fmt: skip
POINTS = {
    "H.build": 20, "H.health": 20, "H.predict": 50, "H.errors": 10,
    "N.exec": 20, "N.artifact": 20, "N.score": 50, "N.metrics": 10,
}  # fmt: skip
NOTEBOOKS = {*(f"PH{number}" for number in range(22, 31)), "PV17", "PV18"}
MIB = 1 << 20


def made(case_id: str, folder: Path, seed: int = 1, base_web: str = "web:1") -> tuple[dict[str, Any], list[Path]]:
    """The case as the runner reads it, and where its submissions lie."""
    path = gen(case_id, folder, PARAMS | {"BASE_WEB": base_web}, seed)
    case = json.loads(path.read_text())
    return case, [path.parent / name for name in case["submissions"]]


def files(root: Path) -> Iterator[Path]:
    yield from (Path(folder, name) for folder, _, names in os.walk(root) for name in names)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "special"
        for path in files(folder)
    }


def local_names(data: bytes) -> list[bytes]:
    """The names in the local headers of a zip, walked by hand: a library might mend them."""
    names, at = [], 0
    while data[at : at + 4] == b"PK\x03\x04":
        packed, _, name_length, extra = struct.unpack_from("<2L2H", data, at + 18)
        names.append(data[at + 30 : at + 30 + name_length])
        at += 30 + name_length + extra + packed
    return names


def central_names(data: bytes) -> list[bytes]:
    """The names in the directory of a zip without comments."""
    at, names = struct.unpack_from("<L", data, len(data) - 6)[0], []
    while data[at : at + 4] == b"PK\x01\x02":
        name_length, extra, comment = struct.unpack_from("<3H", data, at + 28)
        names.append(data[at + 46 : at + 46 + name_length])
        at += 46 + name_length + extra + comment
    return names


def text_of(case_id: str, folder: Path, base_web: str = "web:1") -> str:
    return (made(case_id, folder, base_web=base_web)[1][0] / "Dockerfile").read_bytes().decode()


def test_no_public_case_of_groups_a_to_d_and_v_is_missing() -> None:
    wanted = {f"PH{number:02}" for number in range(1, 31)} | {f"PV{number:02}" for number in range(1, 19)}
    assert set(CASES) == wanted
    assert {group: sum(each == group for each in CASES.values()) for group in "ABCDV"} == {
        "A": 6,
        "B": 7,
        "C": 8,
        "D": 9,
        "V": 18,
    }


@pytest.mark.parametrize("case_id", sorted(CASES))
def test_a_case_can_be_run_again_with_its_seed(case_id: str, tmp_path: Path) -> None:
    gen(case_id, tmp_path / "a", PARAMS, 7)
    gen(case_id, tmp_path / "b", PARAMS | {"TOKEN_IMG": "f" * 32}, 7)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


@pytest.mark.parametrize("case_id", ["PH14", "PH17", "PV05", "PV14", "PV16"])
def test_another_seed_gives_another_size_or_delay(case_id: str, tmp_path: Path) -> None:
    gen(case_id, tmp_path / "a", PARAMS, 1)
    gen(case_id, tmp_path / "b", PARAMS, 2)
    assert digest(tmp_path / "a") != digest(tmp_path / "b")


@pytest.mark.parametrize("case_id", sorted(CASES))
def test_an_expectation_that_nothing_could_meet_or_miss(case_id: str, tmp_path: Path) -> None:
    case, submissions = made(case_id, tmp_path)
    expect = case["expect"]
    lab = "N" if case_id in NOTEBOOKS else "H"
    assert (case["id"], case["group"], case["split"], case["lab"]) == (case_id, CASES[case_id], "public", lab)
    assert expect["classes"] and set(expect["classes"]) <= CLASSES
    assert bool(expect["rules"]) == ("REJECT" in expect["classes"][0])
    [(kind, points)] = expect["score"].items()
    assert kind in ("exact", "max") and points <= case["honest"] <= 100
    assert sum(expect["items"].values()) <= points
    assert all(value in (0, POINTS[item]) and item[0] == lab for item, value in expect["items"].items())
    assert submissions and all(path.exists() for path in submissions)
    if case["kind"] == "valid":
        bound = 110 if lab == "N" else 120
        assert (expect["classes"], expect["score"], case["bound"]) == (["GRADED"], {"exact": 100}, bound)


@pytest.mark.parametrize("case_id", sorted(set(CASES) - NOTEBOOKS))
def test_a_submission_without_a_dockerfile_would_prove_nothing(case_id: str, tmp_path: Path) -> None:
    for path in made(case_id, tmp_path)[1]:
        if path.is_dir():
            assert b"FROM " in (path / "Dockerfile").read_bytes()
        elif path.suffix == ".zip":
            assert any(name.split(b"/")[-1] == b"Dockerfile" for name in local_names(path.read_bytes()))
        else:
            with tarfile.open(path) as archive:
                assert "Dockerfile" in archive.getnames()


@pytest.mark.parametrize(
    ("case_id", "names"),
    [
        ("PH01", [[b"../../pwn.txt", b"a/../../../pwn2.txt"]]),
        ("PH02", [[b"/abs/pwn"], [b"C:\\pwn"], [b"\\\\host\\share\\pwn"], [b"..\\..\\pwn"]]),
    ],
)
def test_hostile_names_survive_in_both_headers(case_id: str, names: list[list[bytes]], tmp_path: Path) -> None:
    submissions = made(case_id, tmp_path)[1]
    for path, wanted in zip(submissions, names, strict=True):
        data = path.read_bytes()
        assert local_names(data) == central_names(data) == [b"Dockerfile", b"app.py", *wanted]


def test_the_tar_writes_through_its_link(tmp_path: Path) -> None:
    [path] = made("PH03", tmp_path)[1]
    with tarfile.open(path, "r:gz") as archive:
        members = {member.name: member for member in archive}
    assert list(members)[-2:] == ["d", "d/pwn"]
    assert members["d"].issym() and members["d"].linkname == "/nowhere/watched"
    assert members["d/pwn"].isreg()


def test_the_deflate_bomb_is_a_whole_gibibyte(tmp_path: Path) -> None:
    [path] = made("PH04", tmp_path)[1]
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("zeros.bin")
        assert info.file_size == 1024 * MIB and info.compress_size < 2 * MIB
        with archive.open(info) as member:
            assert sum(len(piece) for piece in iter(lambda: member.read(16 * MIB), b"")) == 1024 * MIB


def test_the_many_members_are_all_in_the_directory(tmp_path: Path) -> None:
    [path] = made("PH05", tmp_path)[1]
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert len(names) == 100_002 and names[-1] == "n/99999"


def test_the_ignore_file_is_a_fifo(tmp_path: Path) -> None:
    [path] = made("PH06", tmp_path)[1]
    assert stat.S_ISFIFO((path / ".dockerignore").lstat().st_mode)


@pytest.mark.parametrize(
    ("case_id", "line"),
    [
        ("PH07", "FROM bad:1"),
        ("PH08", "FROM ${B:-bad:1}"),
        ("PH09", "COPY --from=bad:1 /secret.txt /app/s.txt"),
        ("PH10", "ADD http://127.0.0.1:9/canary /app/s.txt"),
        ("PH11", "# syntax=canary.invalid/frontend:1"),
        ("PH12", 'RUN python -c "import os; [os.fork() for _ in range(10**6)]"'),
        ("PH13", "RUN sleep 100000"),
        ("PH15", 'VOLUME ["/data","/var/cache/x"]'),
        ("PV02", "EXPOSE 5000/tcp"),
        ("PV06", "USER 10001:10001"),
        ("PV08", "FROM here on it is data' > /app/note.txt"),
        ("PV12", "CMD exec $RUNNER /app/app.py"),
    ],
)
def test_a_dockerfile_has_the_line_of_its_case(case_id: str, line: str, tmp_path: Path) -> None:
    lines = text_of(case_id, tmp_path).splitlines()
    assert line in lines
    assert case_id != "PH11" or lines[0] == line


def test_the_second_unapproved_base_hides_behind_a_stage(tmp_path: Path) -> None:
    _, second = made("PH07", tmp_path)[1]
    assert (second / "Dockerfile").read_text().startswith("FROM bad:1 AS x\nFROM x\n")


def test_web_packages_are_installed_only_where_the_base_lacks_them(tmp_path: Path) -> None:
    for case_id in ("PV03", "PV07"):
        assert "pip install" not in text_of(case_id, tmp_path / case_id / "full")
        assert "pip install fastapi uvicorn gunicorn" in text_of(
            case_id, tmp_path / case_id / "bare", base_web="base:1"
        )


def test_what_is_injected_into_the_report_is_spelled_out(tmp_path: Path) -> None:
    [path] = made("PH21", tmp_path)[1]
    text = (path / "Dockerfile").read_bytes()
    wanted = (
        b"\x1b[2J\x1b]0;x\x07",
        b"\x1b]52;c;",
        b"\x1b]8;;http://127.0.0.1:9/canary",
        b"<script>",
        b"<img src=x onerror=",
        b"</pre>",
        b"`" * 8,
        b'=HYPERLINK("http://127.0.0.1:9/canary")',
        "\u202e".encode(),
    )
    assert all(string in text for string in wanted)
    names = {str(each.relative_to(path)) for each in files(path)}
    assert "<script>alert(1)</script>.txt" in names and "</pre>.txt" in names
    assert any(name.startswith("=HYPERLINK(") for name in names)


def test_crlf_is_everywhere_and_the_last_line_is_open(tmp_path: Path) -> None:
    [path] = made("PV01", tmp_path)[1]
    for name in ("Dockerfile", "app.py"):
        data = (path / name).read_bytes()
        assert data.count(b"\n") == data.count(b"\r\n") > 3
    assert (path / "Dockerfile").read_bytes().endswith(b'"]')


def test_valid_archives_are_sound_and_their_modes_as_told(tmp_path: Path) -> None:
    for case_id, modes in (("PV05", {0o755}), ("PV09", {0o644}), ("PV13", {0})):
        [path] = made(case_id, tmp_path / case_id)[1]
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert {info.external_attr >> 16 & 0o777 for info in archive.infolist()} == modes
            tops = {name.split("/")[0] for name in archive.namelist()}
        assert case_id != "PV05" or tops == {"team 7 (final)"}


def test_an_accent_stays_a_character_of_its_own(tmp_path: Path) -> None:
    [path] = made("PV09", tmp_path)[1]
    names = [name.decode() for name in local_names(path.read_bytes())]
    assert {"größe.py", "данные/веса.json", "模型.txt"} <= set(names)
    assert any(unicodedata.normalize("NFC", name) != name for name in names)


def test_the_app_that_a_build_stage_writes_is_readable(tmp_path: Path) -> None:
    [encoded, _] = re.findall(r"echo (\S+) \| base64", text_of("PV11", tmp_path))
    compile(base64.b64decode(encoded), "app.py", "exec")


@pytest.mark.parametrize("seed", range(4))
def test_the_large_submission_stays_legal(seed: int, tmp_path: Path) -> None:
    [path] = made("PV16", tmp_path, seed)[1]
    names = [each.relative_to(path) for each in files(path)]
    sizes = [each.stat().st_size for each in files(path)]
    folders = {parent for name in names for parent in name.parents}
    assert 1_500 < len(names) <= 2_000 and len(folders) <= 500
    assert 36 * MIB <= max(sizes) < 50 * MIB and sum(sizes) < 100 * MIB
    assert max(len(name.parts) for name in names) == 14
    assert max(len(str(name)) for name in names) == 480
    assert max(len(part) for name in names for part in name.parts) <= 200


def test_the_reply_bomb_is_two_gibibytes(tmp_path: Path) -> None:
    [path] = made("PH18", tmp_path)[1]
    data = (path / "body.gz").read_bytes()
    unpacker, size, source = zlib.decompressobj(31), 0, io.BytesIO(data)
    while piece := source.read(1 << 12):
        size += len(unpacker.decompress(piece))
    assert unpacker.eof and size == 2048 * MIB and len(data) < 4 * MIB
