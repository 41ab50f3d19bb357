"""What a student starts from: where a file of data is missing, the notebook stops in its second cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import cli
from grader.errors import LabError
from grader.lab import load_lab
from grader.lab_runs import student_files


def _name(home: Path, line: str) -> None:
    lab = home / "labs" / "90-door" / "lab.toml"
    lab.write_text(lab.read_text(encoding="utf-8").replace("minutes = 25", f"minutes = 25\n{line}"), encoding="utf-8")


def test_start_gives_starter_data_and_the_notebook_of_one_s_language(home: Path) -> None:
    common = home / "labs" / "common" / "models"
    common.mkdir(parents=True)
    (common / "door.onnx").write_bytes(b"model")
    _name(home, 'data = ["models/door.onnx"]')
    assert cli.invoke(["start", "90", "--lang", "fr"], {"GRADER_HOME": str(home)}) == 0
    work = home / "work" / "90-door"
    found = {path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file()}
    assert found == {"answers.json", "90-door.ipynb", "data/parcels.json", "data/models/door.onnx"}
    assert '"lang": "fr"' in (work / "90-door.ipynb").read_text(encoding="utf-8")


def test_a_second_start_leaves_a_notebook_that_was_worked_in(home: Path) -> None:
    assert cli.invoke(["start", "90"], {"GRADER_HOME": str(home)}) == 0
    notebook = home / "work" / "90-door" / "90-door.ipynb"
    notebook.write_text("mine", encoding="utf-8")
    assert cli.invoke(["start", "90"], {"GRADER_HOME": str(home)}) == 0
    assert notebook.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(("name", "code"), [("absent.onnx", "lab_file_missing"), ("../secret", "lab_bad_path")])
def test_data_that_a_lab_cannot_give_is_its_author_s_fault(home: Path, name: str, code: str) -> None:
    _name(home, f'data = ["{name}"]')
    with pytest.raises(LabError, match=code):
        load_lab(home / "labs" / "90-door")


def test_a_lab_without_a_notebook_gives_the_rest(home: Path) -> None:
    (home / "notebooks" / "en" / "90-door.ipynb").unlink()
    assert set(student_files(load_lab(home / "labs" / "90-door"), "en")) == {"answers.json", "data/parcels.json"}
