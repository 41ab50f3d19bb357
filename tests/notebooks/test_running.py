"""A run that calls a broken notebook sound puts it in front of thirty students."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from grader.lab import load_lab
from grader.lab_runs import student_files
from grader.notebooks import running
from grader.notebooks.running import CellRun, Order, Ran, judge, read_checks, read_verdicts, run_notebook, unmet
from grader.notebooks.source import read_source
from grader.notebooks.versions import Version
from grader.records import Lang
from tests.notebooks.validating import validate

DEMO = 'print(len(parcels), "parcels, each with", sorted(parcels[0]))'


def _run(home: Path, version: Version, lang: Lang = "en", seconds: float = 120) -> Ran:
    source = home / "notebooks" / "source" / "90-door.py"
    files = student_files(load_lab(home / "labs" / "90-door"), lang)
    order = Order(read_source(source), lang, version, True, 12345, seconds)
    return run_notebook(order, files, home.parent / "run", home)


def _edit(source: Path, old: str, new: str) -> None:
    text = source.read_text(encoding="utf-8")
    assert old in text
    source.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_solution_raises_nothing_and_leaves_its_files(home: Path) -> None:
    ran = _run(home, "solution", "fr")
    assert ran.problem is None
    assert len(ran.cells) == 8 and all(cell.seconds is not None for cell in ran.cells)
    assert ran.verdicts == {"L90.M1": "faux", "L90.M2": "faux"}
    assert 0 < ran.cpu_seconds < running.BUDGET[True]
    work = home.parent / "run" / "work"
    assert {path.name for path in work.iterdir()} >= {"rule.json", "results.json", "answers.json", "data"}
    assert list((home.parent / "run" / "here").iterdir()) == [], "nothing is written where the notebook stands"


def test_a_student_s_version_stops_at_its_stub_only(home: Path) -> None:
    ran = _run(home, "student")
    assert ran.problem is None
    assert [(cell.error, cell.text) for cell in ran.cells if cell.error] == [("NotImplementedError", "L90.E1")]


def test_a_later_cell_that_needs_an_exercise_s_variable_is_found(home: Path, source: Path) -> None:
    _edit(source, DEMO, f"print(limit)\n{DEMO}")
    ran = _run(home, "student")
    assert ran.problem is not None
    assert ran.problem[0] == "nb_run_error" and ran.problem[1]["error"] == "NameError"
    assert ran.problem[1]["first"] == "print(limit)"


def test_a_run_that_does_not_end_is_ended_with_its_kernel(home: Path, source: Path) -> None:
    _edit(
        source, DEMO, f'import os\n(Path(out_dir) / "pid").write_text(str(os.getpid()))\nwhile True:\n    pass\n{DEMO}'
    )
    before = time.monotonic()
    ran = _run(home, "solution", seconds=8)
    assert time.monotonic() - before < 30
    assert ran.problem is not None and ran.problem[0] == "nb_run_timeout"
    kernel = int((home.parent / "run" / "work" / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        for _ in range(50):
            os.kill(kernel, 0)
            time.sleep(0.1)


def test_a_kernel_that_dies_is_told(home: Path, source: Path) -> None:
    _edit(source, DEMO, f"import os\nos._exit(3)\n{DEMO}")
    ran = _run(home, "solution")
    assert ran.problem is not None and ran.problem[0] == "nb_run_dead"


def _cell(error: str | None, text: str = "", tags: tuple[str, ...] = ("exercise",)) -> CellRun:
    return CellRun(3, "first", tags, "L90.E1", 0.1, error, text)


def test_only_the_right_stub_may_raise() -> None:
    right = _cell("NotImplementedError", "L90.E1")
    assert judge((right,), "student") is None
    for wrong in (
        _cell("NotImplementedError", "L90.E2"),
        _cell("TypeError"),
        _cell("NotImplementedError", "L90.E1", ("demo",)),
    ):
        found = judge((wrong,), "student")
        assert found is not None and found[0] == "nb_run_error"
    unsolved = judge((_cell(None),), "student")
    assert unsolved is not None and unsolved[0] == "nb_run_stub"
    assert judge((_cell(None),), "solution") is None
    solved = judge((right,), "solution")
    assert solved is not None and solved[0] == "nb_run_error"


@pytest.mark.parametrize("content", ["", "[]", '{"notes": []}', '{"notes": {"a": 1}}'])
def test_verdicts_of_a_results_file_that_is_none_are_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.json").write_text(content, encoding="utf-8")
    assert read_verdicts(tmp_path / "results.json") == {}
    assert read_verdicts(tmp_path / "absent.json") == {}


def test_nbval_passes_stable_facts_and_finds_one_that_moved(home: Path) -> None:
    ran = _run(home, "solution")
    assert validate(ran.notebook) == 9  # the cell of injected parameters is one more
    text = ran.notebook.read_text(encoding="utf-8")
    assert "3 parcels" in text
    ran.notebook.write_text(text.replace("3 parcels", "4 parcels"), encoding="utf-8")
    with pytest.raises(AssertionError, match="1 failed"):
        validate(ran.notebook)


def test_a_solution_that_its_own_check_refuses_is_found(home: Path, source: Path) -> None:
    _edit(source, 'Path(out_dir, "rule.json")', 'Path(out_dir, "rules.json")')
    ran = _run(home, "solution")
    assert ran.problem == ("nb_run_unmet", {"id": "L90.E1", "found": "rule (missing)"})


def test_a_check_that_gave_no_answer_is_not_one_that_found_nothing(tmp_path: Path) -> None:
    exercise = CellRun(3, "first", ("exercise",), "L90.E1", 0.1)
    assert unmet((exercise,), {"E1": []}) is None
    assert unmet((exercise,), {}) == ("nb_run_unchecked", {"id": "L90.E1"})
    for content in ("", "[]", '{"checks": []}', '{"checks": {"E1": {}}}'):
        (tmp_path / "log").write_text(content, encoding="utf-8")
        assert read_checks(tmp_path / "log") == {}
