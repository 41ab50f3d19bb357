"""Before anything is graded: somebody's work that is overwritten, or a lab or a machine whose fault is not told."""

from __future__ import annotations

import re
from pathlib import Path

from .conftest import FORGOTTEN_SOCKET, Ask, assert_words

pytestmark = FORGOTTEN_SOCKET


def test_start_never_overwrites(home: Path, ask: Ask) -> None:
    status, out, _ = ask("start", "90")
    assert (status, "grader run 90" in out) == (0, True)
    mine = home / "work" / "90-tiny" / "app" / "main.py"
    mine.write_text("my own work\n")
    (home / "work" / "90-tiny" / "Dockerfile").unlink()
    status, out, _ = ask("start", "90", "--lang", "fr")
    assert (status, "app/main.py" in out) == (0, True)
    assert mine.read_text() == "my own work\n"
    assert (home / "work" / "90-tiny" / "Dockerfile").is_file()
    assert ask("run", "90")[0] == 0, "the work folder is what is graded then"


def test_start_does_not_write_through_a_link(home: Path, ask: Ask) -> None:
    secret = home / "secret"
    folder = home / "work" / "90-tiny"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").symlink_to(secret)
    ask("start", "90")
    assert not secret.exists()


def test_start_onto_a_file_says_so(home: Path, ask: Ask) -> None:
    (home / "here").write_text("a file")
    (home / "there").mkdir()
    (home / "there" / "app").write_text("a file")
    for folder in ("here", "there"):
        status, _, err = ask("start", "90", folder)
        assert status == 2
        assert_words(err)
    assert (home / "here").read_text() == (home / "there" / "app").read_text() == "a file"


def test_lab_list_shows_what_is_wrong_with_a_lab_and_goes_on(home: Path, ask: Ask) -> None:
    status, out, _ = ask("lab", "list")
    assert status == 0
    assert re.search(r"90-tiny +Tiny +10 min, 20 points", out)
    assert "91-broken" in out


def test_lint_says_what_does_not_fit(home: Path, ask: Ask) -> None:
    assert ask("lab", "lint", "90")[0] == 0
    toml = home / "labs" / "90-tiny" / "lab.toml"
    toml.write_text(toml.read_text().replace("[item.causes.root]", "[item.causes.rot]"))
    status, out, _ = ask("lab", "lint", "90")
    assert (status, "root" in out) == (2, True)


def test_doctor_says_in_words_how_bad_each_thing_is(home: Path, ask: Ask) -> None:
    for lang, levels in (
        ("en", "ok|warning|fails|not tested here"),
        ("fr", "bon|attention|échec|non testé ici"),
    ):
        status, out, _ = ask("doctor", "--lang", lang)
        assert status == 4
        assert all(re.match(rf"({levels}) +\S", line) for line in out.splitlines())
        assert "apt-get install -y docker.io" in out
