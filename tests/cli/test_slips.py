"""A slip that is answered with a traceback, with a wrong exit code, or with words that do not say what to do next."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.cli.session import asked_lang

from .conftest import FORGOTTEN_SOCKET, Ask, assert_words

pytestmark = FORGOTTEN_SOCKET


@pytest.fixture
def stopped() -> Iterator[str]:
    """A socket that nobody listens on: an engine that was there. In /tmp, since a socket's path must be short."""
    path = Path(f"/tmp/grader-test-{os.getpid()}.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    yield f"unix://{path}"
    path.unlink()


BAD = {
    "unknown command": (["rn"], 2, "“rn”", "run"),
    "unknown subcommand": (["runs", "lst"], 2, "“lst”", "list"),
    "unknown option": (["run", "90", "--sed", "3"], 2, "--sed", "--seed"),
    "no lab": (["run"], 2, "LAB", "grader run --help"),
    "too many": (["doctor", "x"], 2, "(x)", "grader doctor --help"),
    "unknown format": (["run", "90", "--format", "xml"], 2, "--format", "json"),
    "negative seed": (["run", "90", "--seed", "-1"], 2, "--seed", "grader run --help"),
    "no number": (["runs", "prune", "--keep", "all"], 2, "--keep", "grader runs prune --help"),
    "no keep": (["runs", "prune"], 2, "--keep", "grader runs prune --help"),
    "unknown lab": (["run", "tinny"], 2, "“tinny”", "90-tiny"),
    "unknown lab to start": (["start", "tinny"], 2, "“tinny”", "90-tiny"),
    "broken lab": (["run", "91"], 2, "lab.toml", "91-broken"),
    "broken lab linted": (["lab", "lint", "91"], 2, "lab.toml", "91-broken"),
    "no such submission": (["run", "90", "nowhere"], 2, "nowhere", ""),
    "a NUL in a path": (["run", "90", "a\0b"], 2, "a\\u{0}b", ""),
    "no work yet": (["run", "90"], 2, "work/90-tiny", "grader start 90-tiny"),
    "unknown item": (["run", "90", ".", "--only", "bild"], 2, "“bild”", "build"),
    "no engine": (["run", "90", ".", "--engine", "docker"], 4, "DOCKER_HOST", "apt-get install -y docker.io"),
    "no engine for images": (["images", "list"], 4, "DOCKER_HOST", "apt-get install -y docker.io"),
    "no engine for a proof": (["lab", "test", "90"], 4, "DOCKER_HOST", "apt-get install -y docker.io"),
    "unknown run": (["show", "2020"], 2, "“2020”", "grader runs list"),
    "unknown run to regrade": (["regrade", "2020"], 2, "“2020”", "grader runs list"),
    "no runs": (["show"], 2, "runs", "grader run "),
    "no runs to list": (["runs", "list"], 2, "runs", "grader run "),
}  # fmt: skip


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", BAD)
def test_a_slip_is_answered_in_one_sentence_of_the_reader_s_language(
    name: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, wanted, where, what_next = BAD[name]
    said = {}
    for lang in ("en", "fr"):
        monkeypatch.setenv("LANG", {"en": "en_GB.UTF-8", "fr": "fr_FR.UTF-8"}[lang])
        status, out, err = ask(*arguments)
        assert status == wanted
        assert out == "", "an error belongs on standard error"
        assert_words(err)
        assert where in err.replace("« ", "“").replace(" »", "”")
        assert what_next in err
        said[lang] = err
    assert said["en"] != said["fr"]


def test_an_engine_that_does_not_answer_is_told_from_one_that_is_absent(
    home: Path, ask: Ask, stopped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", stopped)
    status, out, err = ask("run", "90", ".", "--engine", "docker")
    assert (status, out) == (4, "")
    assert_words(err)
    assert "systemctl start docker" in err
    assert not (home / "runs").exists(), "a run that never began"


def test_a_submission_that_may_not_be_read_says_so(
    home: Path, ask: Ask, submission: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(submission))  # root may read everything
    status, _, err = ask("run", "90", submission)
    assert status == 2
    assert_words(err)
    assert str(submission) in err


def test_outside_a_checkout_it_says_where_to_go(
    home: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ask("lab", "list")[0] == 2
    status, _, err = ask("lab", "list", "--lang", "fr")
    assert (status, "GRADER_HOME" in err) == (2, True)
    assert_words(err)
    monkeypatch.setenv("GRADER_HOME", str(tmp_path))
    assert ask("lab", "list")[0] == 2
    monkeypatch.setenv("GRADER_HOME", str(home))
    status, out, _ = ask("lab", "list")
    assert (status, "90-tiny" in out) == (0, True)


def test_a_folder_deleted_under_our_feet_is_no_traceback(
    home: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    status, _, err = ask("lab", "list")
    os.chdir(home)
    assert status == 2
    assert_words(err)


def test_what_the_user_typed_cannot_colour_or_clear_the_terminal(home: Path, ask: Ask) -> None:
    status, _, err = ask("run", "90", "\x1b[2J\x1b[31mred")
    assert status == 2
    assert_words(err)


def test_a_bug_of_ours_is_a_sentence_and_a_log(home: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def boom(argument: str, root: Path) -> Path:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr("grader.lab.find_lab", boom)
    status, out, err = ask("run", "90", ".")
    assert (status, out) == (4, "")
    assert_words(err)
    logs = list((home / "runs" / "errors").iterdir())
    assert str(logs[0]) in err
    assert "ZeroDivisionError: inside" in logs[0].read_text()


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_no_bug(home: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch, trouble: int) -> None:
    def full(argument: str, root: Path) -> Path:
        raise OSError(trouble, os.strerror(trouble), "/some/file")

    monkeypatch.setattr("grader.lab.find_lab", full)
    status, _, err = ask("run", "90", ".")
    assert status == 4
    assert_words(err)
    assert "/some/file" in err
    assert "runs prune" in err


def test_the_language_is_asked_for_or_the_environment_s() -> None:
    assert asked_lang(["run", "--lang", "fr"], {"LANG": "en_GB.UTF-8"}) == "fr"
    assert asked_lang(["run", "--lang=en"], {"LC_ALL": "fr_CA.UTF-8"}) == "en"
    assert asked_lang(["run"], {"LC_ALL": "C", "LANG": "fr_FR.UTF-8"}) == "en"
    assert asked_lang(["run", "--lang", "de"], {"LANG": "fr_FR"}) == "fr"
    assert asked_lang(["--lang"], {}) == "en"
