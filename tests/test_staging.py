"""Folders that hang, lie or lead outside: staging copies what is honest and names what is not."""

from __future__ import annotations

import os
import random
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from grader import archives, words
from grader.archives import names
from grader.errors import InfraError, LabError, SubmissionError
from grader.records import Staged, Submission
from grader.staging import stage

MIB = 1 << 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM python:3.11-slim\n")
    return folder


def hand_in(source: Path) -> Staged:
    return stage(Submission(source=str(source)), source.parent / "runs" / "out")


def refusal(source: Path) -> SubmissionError:
    with pytest.raises(SubmissionError) as raised:
        hand_in(source)
    assert not (source.parent / "runs" / "out").exists()
    assert words.known(raised.value.code)
    for lang in ("en", "fr"):
        assert "{" not in words.say(raised.value.code, lang, raised.value.facts)
    return raised.value


def paths(staged: Staged) -> list[str]:
    return [file.path for file in staged.files]


def test_a_folder_is_copied_with_plain_modes(source: Path) -> None:
    script = source / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o6711)
    (source / "secret").write_text("x")
    (source / "secret").chmod(0o600)
    staged = hand_in(source)
    modes = {file.path: stat.S_IMODE(Path(staged.root, file.path).stat().st_mode) for file in staged.files}
    assert modes == {"Dockerfile": 0o644, "run.sh": 0o755, "secret": 0o644}
    assert stat.S_IMODE(Path(staged.root).stat().st_mode) == 0o700
    assert [file.executable for file in staged.files] == [False, True, False]


def test_the_digest_follows_content_names_and_modes_only(source: Path) -> None:
    def digest(number: int) -> str:
        return stage(Submission(source=str(source)), source.parent / f"out{number}").digest

    first = digest(1)
    os.utime(source / "Dockerfile", (1, 1))
    assert digest(2) == first
    (source / "Dockerfile").chmod(0o755)
    changed = digest(3)
    (source / "Dockerfile").rename(source / "dockerfile")
    assert len({first, changed, digest(4)}) == 3


def test_an_empty_folder_is_a_submission(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert hand_in(tmp_path / "in").files == ()


def test_litter_is_left_out_at_any_depth(source: Path) -> None:
    for name in (".git/config", "__pycache__/a.pyc", "a/__pycache__/b.pyc", "__MACOSX/x", ".DS_Store", "a/._b",
                 ".ipynb_checkpoints/a.ipynb", ".workbench.json", "a/b"):  # fmt: skip
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x")
    assert paths(hand_in(source)) == ["Dockerfile", "a/b"]


def test_a_fifo_is_refused_without_waiting_for_it(source: Path) -> None:
    """PH06."""
    os.mkfifo(source / ".dockerignore")
    assert refusal(source).code == "special"


def test_a_socket_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert refusal(source).code == "special"


def test_relative_links_inside_become_copies(source: Path) -> None:
    (source / "src").mkdir()
    (source / "src/app.py").write_text("code")
    (source / "main.py").symlink_to("src/app.py")
    (source / "lib").mkdir()
    (source / "lib/code").symlink_to("../src")
    (source / "again").symlink_to("lib/code")
    staged = hand_in(source)
    assert paths(staged) == ["Dockerfile", "again/app.py", "lib/code/app.py", "main.py", "src/app.py"]
    assert Path(staged.root, "again/app.py").read_text() == "code"
    assert not any(path.is_symlink() for path in Path(staged.root).rglob("*"))


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "a/../../outside", "nowhere", "self", ".", "sub/back"])
def test_links_that_lead_outside_nowhere_or_round_are_refused(source: Path, target: str) -> None:
    (source.parent / "outside").write_text("host")
    (source / "a").mkdir()
    (source / "sub").mkdir()
    (source / "sub/back").symlink_to("..")
    (source / "self").symlink_to(target)
    assert refusal(source).code == "link"


def test_links_that_multiply_folders_are_stopped_by_the_count(source: Path) -> None:
    (source / "d0").mkdir()
    (source / "d0/file").write_text("x")
    for level in range(1, 13):
        folder = source / f"d{level}"
        folder.mkdir()
        for twin in range(3):
            (folder / f"l{twin}").symlink_to(f"../d{level - 1}")
    assert refusal(source).code in ("count", "depth")


def test_files_and_folders_on_both_sides_of_their_number(source: Path) -> None:
    for number in range(1999):
        (source / f"f{number}").touch()
    for number in range(500):
        (source / f"d{number}").mkdir()
    assert len(hand_in(source).files) == 2000
    (source.parent / "runs").rename(source.parent / "done")
    (source / "one more").touch()
    assert refusal(source).code == "count"
    (source / "one more").unlink()
    (source / "d500").mkdir()
    assert refusal(source).code == "count"


def sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


def test_bytes_on_both_sides_of_their_limits(source: Path) -> None:
    sparse(source / "big", 50 * MIB)
    assert len(hand_in(source).files) == 2
    (source.parent / "runs").rename(source.parent / "done")
    sparse(source / "big", 50 * MIB + 1)
    assert refusal(source).code == "size"
    sparse(source / "big", 50 * MIB)
    sparse(source / "bigger", 50 * MIB)
    assert refusal(source).code == "size"
    sparse(source / "bigger", 50 * MIB - (source / "Dockerfile").stat().st_size)
    assert len(hand_in(source).files) == 3


def test_lengths_on_both_sides_of_their_limits(source: Path) -> None:
    deep = source.joinpath(*["d" * 29] * 15)
    deep.mkdir(parents=True)
    (deep / ("f" * 62)).touch()
    (source / ("n" * 200)).touch()
    assert max(len(path) for path in paths(hand_in(source))) == 512
    (source.parent / "runs").rename(source.parent / "done")
    (deep / ("g" * 63)).touch()
    assert refusal(source).code == "depth"
    (deep / ("g" * 63)).unlink()
    (deep / "deeper").mkdir()
    (deep / "deeper/x").touch()
    assert refusal(source).code == "depth"
    (deep / "deeper/x").unlink()
    (deep / "deeper").rmdir()
    (source / ("n" * 201)).touch()
    assert refusal(source).code == "depth"


@pytest.mark.parametrize("name", [b"a\\b", b"a\xff", b"a\x1b[2J", "a\u202eb".encode(), b"dot.", b"space ", b"C:x"])
def test_misleading_names_are_refused(source: Path, name: bytes) -> None:
    (source / os.fsdecode(name)).touch()
    assert refusal(source).code == "path"


@pytest.mark.parametrize("twin", ["DOCKERFILE", "dockerfile"])
def test_names_that_differ_by_case_are_refused(source: Path, twin: str) -> None:
    (source / twin).touch()
    assert refusal(source).code == "duplicate"


def test_a_file_swapped_for_a_link_while_read_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A student's own process may still run while a shared folder is collected."""
    (source / "app.py").write_text("mine")
    secret = source.parent / "secret"
    secret.write_text("token")
    lstat = os.lstat

    def racing(path: str, *, dir_fd: int) -> os.stat_result:
        facts = lstat(path, dir_fd=dir_fd)
        if path == "app.py":
            (source / "app.py").unlink()
            os.link(secret, source / "app.py")
        return facts

    monkeypatch.setattr(os, "lstat", racing)
    assert refusal(source).code == "special"


def test_the_own_destination_inside_the_source_is_not_copied(source: Path) -> None:
    staged = stage(Submission(source=str(source)), source / "runs" / "one")
    assert paths(staged) == ["Dockerfile"]


def test_a_missing_or_strange_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="submission_missing"):
        hand_in(tmp_path / "nothing")
    os.mkfifo(tmp_path / "fifo")
    assert refusal(tmp_path / "fifo").code == "format"


def test_an_existing_destination_is_never_touched(source: Path) -> None:
    other = source.parent / "runs" / "out"
    other.mkdir(parents=True)
    (other / "report.json").write_text("{}")
    with pytest.raises(InfraError, match="staging_folder"):
        hand_in(source)
    assert (other / "report.json").read_text() == "{}"


def test_an_upload_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    sparse(tmp_path / "a.zip", names.UPLOAD_BYTES + 1)
    assert refusal(tmp_path / "a.zip").code == "upload"


@pytest.mark.parametrize(("status", "code"), [(-9, "too_slow"), (-24, "too_slow"), (1, "corrupt")])
def test_a_child_that_dies_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], status, b"", b""))
    assert refusal(tmp_path / "a.zip").code == code


def test_a_full_disk_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04")
    answer = b'{"code": "staging_disk", "facts": {"detail": "No space left on device"}}'
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, answer, b""))
    with pytest.raises(InfraError, match="staging_disk"):
        hand_in(tmp_path / "a.zip")
    assert not (tmp_path / "runs" / "out").exists()


def test_the_child_needs_nothing_of_the_users_environment(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A submission's folder on the import path must not be imported by the grader."""
    (source / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.setenv("PYTHONPATH", str(source))
    monkeypatch.chdir(source)
    packed = source.parent / "a.tar.gz"
    subprocess.run(["tar", "-czf", str(packed), "Dockerfile", "json.py"], check=True)
    assert paths(hand_in(packed)) == ["Dockerfile", "json.py"]
    assert archives.WALL_SECONDS <= 20


def test_random_bytes_are_no_submission(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(random.Random(5).randbytes(4096))
    assert refusal(tmp_path / "a").code == "format"
