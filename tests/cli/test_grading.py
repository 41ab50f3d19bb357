"""A run whose exit code or report says something else than what was graded, and stored runs that change or are lost."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .conftest import FORGOTTEN_SOCKET, ROOT, Ask, assert_words

pytestmark = FORGOTTEN_SOCKET


def test_without_an_engine_the_rest_is_graded_and_the_report_says_what_was_not(
    home: Path, ask: Ask, submission: Path
) -> None:
    status, out, err = ask("run", "90", submission)
    assert (status, err) == (0, "")
    last = out.splitlines()[-1]
    assert "build, nonroot, answers" in last
    assert "apt-get install -y docker.io" in last
    status, out, _ = ask("run", "90", submission, "--engine", "local")
    assert "--engine local" in out.splitlines()[-1]


def test_json_on_standard_output_is_json_and_nothing_else(home: Path, ask: Ask, submission: Path) -> None:
    status, out, _ = ask("run", "90", submission, "--format", "json", "--lang", "fr", "--seed", "7")
    report = json.loads(out)
    assert (status, report["schema"], report["provisional"], report["seed"]) == (0, "grader/report/1", True, 7)
    assert report["submission"]["source"] == str(submission)


def test_a_rejected_submission_exits_3_and_a_failed_one_1(
    home: Path, ask: Ask, submission: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (submission / "Dockerfile").write_text("FROM evil:latest\n")
    status, out, _ = ask("run", "90", submission)
    assert status == 3
    assert "Traceback" not in out
    monkeypatch.setenv("GRADER_HOME", str(ROOT))
    monkeypatch.setenv("GRADER_RUNS", str(home / "runs"))
    empty = home.parent / "empty"
    empty.mkdir()
    status, out, _ = ask("run", "05", empty, "--engine", "local", "--format", "json")
    assert (status, json.loads(out)["score"]) == (1, 0.0)


def test_show_rewords_and_regrade_starts_nothing(home: Path, ask: Ask, submission: Path) -> None:
    first = json.loads(ask("run", "90", submission, "--format", "json")[1])
    status, out, _ = ask("show", "--lang", "fr")
    assert (status, "provisoire" in out) == (0, True)
    assert json.loads(ask("show", "--format", "json")[1]) == first
    assert ask("show", "--format", "html")[1].lstrip().startswith("<!")
    (run,) = (path.name for path in (home / "runs" / "90-tiny").iterdir())
    status, out, _ = ask("regrade", run)
    assert status == 0
    assert re.search(r"0 before, 0 now \(of 20\)", out)
    assert len(ask("runs", "list")[1].splitlines()) == 2


def test_show_passes_over_a_run_that_is_not_finished(home: Path, ask: Ask, submission: Path) -> None:
    ask("run", "90", submission)
    (home / "runs" / "90-tiny" / "99991231T235959000000-abcdef").mkdir()
    assert ask("show")[0] == 0
    assert ask("show", "9999")[0] == 2


def test_a_report_older_than_its_lab_is_shown_in_its_stored_words(home: Path, ask: Ask, submission: Path) -> None:
    ask("run", "90", submission)
    toml = home / "labs" / "90-tiny" / "lab.toml"
    toml.write_text(toml.read_text().replace('id = "answers"', 'id = "replies"'))
    status, out, _ = ask("show")
    assert (status, "answers" in out) == (0, True)


def test_a_run_that_was_never_judged_cannot_be_judged_again(home: Path, ask: Ask, submission: Path) -> None:
    (submission / "Dockerfile").write_text("FROM evil:latest\n")
    ask("run", "90", submission)
    (run,) = (path.name for path in (home / "runs" / "90-tiny").iterdir())
    status, _, err = ask("regrade", run)
    assert status == 2
    assert_words(err)


def test_prune_keeps_the_newest(home: Path, ask: Ask, submission: Path) -> None:
    for _ in range(3):
        ask("run", "90", submission)
    newest = max(path.name for path in (home / "runs" / "90-tiny").iterdir())
    status, out, _ = ask("runs", "prune", "--keep", "1")
    assert (status, "2" in out) == (0, True)
    assert [path.name for path in (home / "runs" / "90-tiny").iterdir()] == [newest]
