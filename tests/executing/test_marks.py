"""Honest work that loses marks, missing work that passes for our trouble, or a run that does more than was asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grader.errors import LabError
from grader.lab import load_lab
from grader.pipeline import Options, Site, grade, regrade
from grader.records import Submission

from ..books import FIT, KERNEL, SAVE, book, cell, hand_in
from .conftest import LAB, Counting, Give, items, section


def test_honest_work_has_full_marks_and_regrading_starts_nothing(give: Give, site: Site, room: Counting) -> None:
    graded = give(book(FIT, "", SAVE), exercise=None)
    assert (graded.report.score, graded.report.run_class, graded.report.engine) == (20, "GRADED", "local")
    assert len(room.jobs) == 3, "the notebook, the tool, the model"
    train = section(graded, "train")
    assert train["result"]["ok"] and train["result"]["engine"] == "local"
    assert [row["index"] for row in train["cells"]] == [0, 1, 3], "an empty cell has nothing to run"
    assert all(row["executed"] and row["in_order"] and row["error"] is None for row in train["cells"])
    assert (train["texts"], train["others"], train["truth"]) == ({"metrics.json": '{"r2": 1.0}'}, [], {"rows": 100})
    rows = section(graded, "model")["rows"]
    assert [(one["batch"], len(one["outputs"]["y"])) for one in rows["batches"]] == [(1, 7), (7, 7)]
    assert len(rows["truth"]) == 7
    again = regrade(graded.run, load_lab(LAB), site, "en")
    assert (again.report.score, len(room.jobs)) == (20, 3)
    assert again.report.digests.evidence == graded.report.digests.evidence


def test_one_exercise_runs_no_more_than_it_reads(give: Give, room: Counting) -> None:
    found = items(give(None, exercise="E3"))
    assert found["tool"].outcome == "passed" and found["exec"].cause == "not_asked"
    assert len(room.jobs) == 1


def test_an_unknown_exercise_is_a_slip_of_the_keyboard(give: Give) -> None:
    with pytest.raises(LabError) as caught:
        give(None, exercise="E9")
    assert (caught.value.code, caught.value.facts["near"]) == ("unknown_exercise", "E1, E2, E3")


def test_an_empty_folder_scores_zero_without_an_error(site: Site, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    graded = grade(load_lab(LAB), Submission(source=str(tmp_path / "empty")), site, Options(seed=1))
    assert (graded.report.status, graded.report.run_class, graded.report.score) == ("graded", "GRADED", 0)
    causes = {name: item.cause for name, item in items(graded).items()}
    assert causes == {"exec": "no_notebook", "model": "missing", "score": "blocked", "tool": "run_error"}


def test_a_missing_notebook_is_named(give: Give, room: Counting) -> None:
    graded = give(None)
    assert (graded.report.run_class, items(graded)["exec"].cause) == ("GRADED", "no_notebook")
    assert items(graded)["exec"].message.startswith("There is no train.ipynb")
    assert room.jobs == []


def test_an_announced_error_is_none(give: Give) -> None:
    graded = give(book(cell("1/0", "raises-exception"), FIT, SAVE))
    assert items(graded)["exec"].outcome == "passed"
    row = section(graded, "train")["cells"][1]
    assert (row["error"], row["tags"], row["stopped"]) == ("ZeroDivisionError", ["raises-exception"], False)


def test_a_foreign_kernel_name_and_old_outputs_are_no_fault(give: Give) -> None:
    error = {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["<b>old</b>"]}
    cells = [cell(FIT, outputs=[error], execution_count=7), cell(SAVE, execution_count=2)]
    graded = give(book(*cells, metadata={"kernelspec": {"name": "venv-mlops", "display_name": "mine"}}))
    assert {item.outcome for item in graded.report.items if item.cause != "not_asked"} == {"passed"}


def test_a_command_that_fails_shows_its_log(give: Give) -> None:
    graded = give(None, exercise="E3", tool="raise SystemExit('no')")
    found = items(graded)["tool"]
    assert (found.cause, found.facts["exit_code"], graded.report.run_class) == ("run_error", 1, "GRADED")
    assert "CalledProcessError" in section(graded, "tool")["result"]["log"]


def test_without_a_room_nothing_is_run_and_the_mark_is_provisional(site: Site, tmp_path: Path) -> None:
    bare = Site(site.home, site.cache, site.store, None, None, site.progress)
    folder = hand_in(tmp_path / "submission", book(FIT))
    graded = grade(load_lab(LAB), Submission(source=str(folder)), bare, Options(seed=1))
    causes = {name: item.cause for name, item in items(graded).items()}
    assert causes == {"exec": "no_engine", "model": "no_engine", "score": "need_skipped", "tool": "no_engine"}
    assert graded.report.provisional


def test_a_killed_local_run_leaves_its_folder_to_the_next_one(site: Site, tmp_path: Path) -> None:
    left = site.store.work / "room-dead" / "room-x"
    left.mkdir(parents=True)
    rows = site.store.active / "room-dead"
    rows.mkdir(parents=True)
    (rows / "resources.jsonl").write_text(json.dumps({"kind": "folder", "name": str(left.parent)}) + "\n")
    (tmp_path / "empty").mkdir()
    grade(load_lab(LAB), Submission(source=str(tmp_path / "empty")), site, Options(seed=1, exercise="E3"))
    assert not left.parent.exists() and not rows.exists()


def test_stored_evidence_is_plain_json(give: Give) -> None:
    graded = give(book(FIT, SAVE, metadata=KERNEL))
    stored = (graded.run.path / "evidence.json").read_text()
    assert json.loads(stored)["sections"]["train"]["result"]["ok"] is True
