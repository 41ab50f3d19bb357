"""An ignore file read otherwise than the builder reads it sends secrets, or loses the application."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from grader.dockerfile import kept_decoys, kept_files
from grader.dockerfile.ignore import kept
from grader.errors import SubmissionError, Unsupported
from grader.records import Staged

Make = Callable[..., Staged]

TREE = (
    "a.py",
    "b.txt",
    ".env",
    "src/a.py",
    "src/b.txt",
    "src/deep/a.py",
    "src/deep/b.txt",
    "data/x.csv",
    "data/keep.csv",
)


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("", ()),
        ("# *\n\n   \n", ()),
        ("*.py", ("a.py",)),
        ("**/*.py", ("a.py", "src/a.py", "src/deep/a.py")),
        ("src", ("src/a.py", "src/b.txt", "src/deep/a.py", "src/deep/b.txt")),
        ("/src/", ("src/a.py", "src/b.txt", "src/deep/a.py", "src/deep/b.txt")),
        ("./src/../src/deep", ("src/deep/a.py", "src/deep/b.txt")),
        ("deep", ()),
        ("**/deep", ("src/deep/a.py", "src/deep/b.txt")),
        ("src/**", ("src/a.py", "src/b.txt", "src/deep/a.py", "src/deep/b.txt")),
        ("src/*", ("src/a.py", "src/b.txt", "src/deep/a.py", "src/deep/b.txt")),
        ("*/*.py", ("src/a.py",)),
        ("**", TREE),
        ("*", TREE),
        ("**.csv", ("data/x.csv", "data/keep.csv")),
        ("*\n!a.py", tuple(path for path in TREE if path != "a.py")),
        ("*\n!src", tuple(path for path in TREE if not path.startswith("src/"))),
        ("data\n!data/keep.csv", ("data/x.csv",)),
        ("!data/keep.csv\ndata", ("data/x.csv", "data/keep.csv")),
        ("src\n!src/deep\nsrc/deep/b.txt", ("src/a.py", "src/b.txt", "src/deep/b.txt")),
        ("\ufeff.env", (".env",)),
        ("  .env  \r\n", (".env",)),
        ("! a.py", ()),
        ("*\n! a.py", tuple(path for path in TREE if path != "a.py")),
        ("?.txt", ("b.txt",)),
        ("[ab].*", ("a.py", "b.txt")),
        ("[^b].*", ("a.py",)),
        ("src/[a-c].p[xyz]", ("src/a.py",)),
        ("\\a.py", ("a.py",)),
        ("**/", TREE),
        ("src/**/b.txt", ("src/b.txt", "src/deep/b.txt")),
        ("s*c/d*p/*", ("src/deep/a.py", "src/deep/b.txt")),
        ("*r*/*.*x*", ("src/b.txt",)),
        ("/", ()),
        (".", ()),
        (" #a.py", ()),
    ],
)
def test_patterns_mean_what_they_mean_to_docker(text: str, ignored: tuple[str, ...]) -> None:
    assert kept(text, TREE) == tuple(path for path in TREE if path not in ignored)


def test_a_dot_in_a_pattern_is_a_dot() -> None:
    assert kept("a.py", ["axpy"]) == ("axpy",)


@pytest.mark.parametrize("text", ["a\n[", "a\nx[a-", "a\nb\\", "a\n[]", "a\n[b-a]", "a\n!"])
def test_bad_patterns_name_their_line(text: str) -> None:
    with pytest.raises(SubmissionError, match="ignore_syntax") as raised:
        kept(text, ["x"])
    assert raised.value.facts["line"] == 2


def test_hostile_patterns_take_no_time() -> None:
    paths = ["/".join(["a" * 30] * 15) + f"/{number}" for number in range(100)]
    start = time.process_time()
    kept("*a" * 200 + "b\n" + "**/" * 4 + "a*a*a*a*b\n" + "*/" * 200 + "x", paths)
    assert time.process_time() - start < 5
    with pytest.raises(Unsupported, match="ignore_unreadable"):
        kept("**/a" * 5, paths)


def test_the_number_of_patterns_on_both_sides() -> None:
    assert kept("a\n" * 500, ["b"]) == ("b",)
    with pytest.raises(SubmissionError, match="ignore_size"):
        kept("a\n" * 501, ["b"])


def test_an_empty_ignore_file_sends_everything(make: Make) -> None:
    """PV10."""
    staged = make("FROM python:3.11", {".dockerignore": "", "app.py": ""})
    assert kept_files(staged) == (".dockerignore", "Dockerfile", "app.py")


def test_the_ignore_file_named_after_the_dockerfile_comes_first(make: Make) -> None:
    staged = make(
        "FROM python:3.11", {".dockerignore": "app.py", "Dockerfile.dockerignore": "data", "app.py": "", "data": ""}
    )
    assert "app.py" in kept_files(staged) and "data" not in kept_files(staged)


def test_decoys_are_judged_though_they_are_not_there(make: Make) -> None:
    staged = make("FROM python:3.11", {".dockerignore": ".git\n**/*.csv\n"})
    decoys = (".git/config", ".env", "data/train.csv", "model.pkl")
    assert kept_decoys(staged, decoys) == (".env", "model.pkl")


def test_the_reserved_folder_is_never_the_students(make: Make) -> None:
    staged = make("FROM python:3.11", {".grader/Dockerfile": "FROM evil", "app.py": ""})
    assert kept_files(staged) == ("Dockerfile", "app.py")


def test_a_huge_ignore_file_is_refused(make: Make) -> None:
    staged = make("FROM python:3.11", {".dockerignore": "#" * 65_537})
    with pytest.raises(SubmissionError, match="ignore_size"):
        kept_files(staged)
