"""A fault in a lab's own files, or files a student's copy has not, that is taken for a fault of the work."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grader import words
from grader.errors import LabError
from grader.lab import load_lab
from grader.pipeline import Options, Site, grade
from grader.records import Submission

from ..books import book, hand_in
from .conftest import LAB, items


def test_a_students_copy_says_what_it_cannot_judge(site: Site, tmp_path: Path) -> None:
    copy = tmp_path / "labs" / "92-books"
    shutil.copytree(LAB, copy, ignore=shutil.ignore_patterns("private"))
    folder = hand_in(tmp_path / "submission", book("1"))
    graded = grade(load_lab(copy), Submission(source=str(folder)), site, Options(seed=1))
    causes = {name: item.cause for name, item in items(graded).items()}
    assert causes == {"exec": "hidden", "model": "missing", "score": "blocked", "tool": "hidden"}
    assert graded.report.score is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ('notebook = "train.ipynb"', "lab_notebook_or_command"),
        ('take = ["model.onnx", "metrics.json"]', "lab_not_taken"),
        ('from = "train"\nfile = "model.onnx"', "lab_from_unknown"),
        ('harness = "tool"', "lab_file_missing"),
        ('sections = ["train"]', "lab_section_unknown"),
        ('given = "points"', "lab_maker_unknown"),
        ("batches = [1, 7]", "lab_wrong_type"),
        ("[execute.tool]", "lab_section_twice"),
        ("seconds = 20", "lab_wrong_type"),
        ("cell_seconds = 4", "lab_unknown_key"),
    ],
)
def test_what_is_wrong_in_lab_toml_is_said_in_its_own_terms(site: Site, tmp_path: Path, change: str, code: str) -> None:
    changes = {
        "lab_notebook_or_command": "",
        "lab_not_taken": 'take = ["metrics.json"]',
        "lab_from_unknown": 'from = "trian"\nfile = "model.onnx"',
        "lab_file_missing": 'harness = "tools"',
        "lab_section_unknown": 'sections = ["trian"]',
        "lab_maker_unknown": 'given = "point"',
        "lab_section_twice": "[execute.model]",
        "lab_unknown_key": "cell_second = 4",
    }
    wrong = {"batches = [1, 7]": "batches = [0]", "seconds = 20": 'seconds = "20"'}
    copy = tmp_path / "labs" / "92-books"
    shutil.copytree(LAB, copy)
    text = (copy / "lab.toml").read_text()
    assert change in text
    (copy / "lab.toml").write_text(text.replace(change, wrong.get(change) or changes[code], 1))
    folder = hand_in(tmp_path / "submission", book("1"))
    with pytest.raises(LabError) as caught:
        grade(load_lab(copy), Submission(source=str(folder)), site, Options(seed=1))
    assert caught.value.code == code
    assert words.say(code, "fr", caught.value.facts)
