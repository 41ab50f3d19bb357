"""A notebook lab from the submission to the report, on a local room: each failure has a name and says what to do."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader import words
from grader.cli.site import UNUSED
from grader.errors import LabError
from grader.lab import load_lab
from grader.outcomes import OF_EXECUTIONS, OF_MODELS
from grader.pipeline import Graded, Options, Site, grade, regrade
from grader.records import ReportItem, Submission
from grader.store import Store
from grader.workrooms import Done, Job, Workroom
from grader.workrooms.local import LocalRoom

from .books import FIT, KERNEL, SAVE, book, cell, drop, hand_in

ROOT = Path(__file__).resolve().parents[1]
LAB = ROOT / "tests" / "fixtures" / "labs" / "92-books"
Give = Callable[..., Graded]


class Counting:
    """A room that counts its jobs, and may add to their environment."""

    def __init__(self, room: Workroom) -> None:
        self._room = room
        self.label, self.boundary, self.identity = room.label, room.boundary, room.identity
        self.jobs: list[Job] = []
        self.sent: list[bytes] = []
        self.env: dict[str, str] = {}

    def do(self, job: Job, keep: Path) -> Done:
        self.jobs.append(job)
        contents = [content for files in job.files.values() for content in files.values()]
        self.sent += [one if isinstance(one, bytes) else one.read_bytes() for one in contents]
        self.sent.append(job.request or b"")
        return self._room.do(replace(job, env=dict(job.env) | self.env), keep)

    def close(self) -> None:
        self._room.close()

    def __enter__(self) -> Counting:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Counting]:
    with Counting(LocalRoom(tmp_path / "rooms", ROOT / ".cache")) as counting:
        yield counting


@pytest.fixture
def site(tmp_path: Path, room: Counting) -> Site:
    return Site(ROOT, tmp_path / "cache", Store(tmp_path / "runs"), None, None, lambda step, detail: None, room)


@pytest.fixture
def give(tmp_path: Path, site: Site) -> Give:
    def graded(notebook: bytes | None, exercise: str | None = "E1", tool: str = "print(42)\n") -> Graded:
        folder = hand_in(tmp_path / "submission", notebook, tool)
        return grade(load_lab(LAB), Submission(source=str(folder)), site, Options(seed=1, exercise=exercise))

    return graded


def items(graded: Graded) -> dict[str, ReportItem]:
    return {item.id: item for item in graded.report.items}


def section(graded: Graded, name: str) -> dict[str, Any]:
    return graded.run.read_evidence().sections[name]


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


R = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}
DEEP = b'{"nbformat": 4, "metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b', "cells": []}'
NEVER_RUN = {
    "text": (b"# not a notebook\n", "not_a_notebook", {"where": "JSON"}),
    "nothing": (b"", "not_a_notebook", {"where": "JSON"}),
    "other JSON": (b'{"r2": 1}', "not_a_notebook", {"where": "nbformat"}),
    "a list": (b"[1, 2]", "not_a_notebook", {"where": "nbformat"}),
    "no cells": (b'{"nbformat": 4, "metadata": {}}', "not_a_notebook", {"where": "cells"}),
    "a broken cell": (book({"cell_type": "code", "source": 3}), "not_a_notebook", {"where": "cell 2"}),
    "too deep": (DEEP, "not_a_notebook", {"where": "size"}),
    "too large": (book("#" + "x" * (21 << 20)), "not_a_notebook", {"where": "size"}),
    "too many cells": (book(*["1"] * 2001), "not_a_notebook", {"where": "cells"}),
    "format 3": (book(nbformat=3), "old_format", {"nbformat": 3}),
    "no kernel": (book(FIT, metadata={}), "no_kernel", {"kernel": "-"}),
    "an empty kernel name": (book(FIT, metadata={"kernelspec": {"name": " "}}), "no_kernel", {"kernel": "-"}),
    "another language": (book("x <- 1", metadata=R), "no_kernel", {"kernel": "R"}),
}


@pytest.mark.parametrize(("notebook", "cause", "facts"), NEVER_RUN.values(), ids=NEVER_RUN)
def test_what_is_no_python_notebook_is_not_run(
    give: Give, room: Counting, notebook: bytes, cause: str, facts: dict[str, Any]
) -> None:
    graded = give(notebook)
    assert (graded.report.run_class, graded.report.status) == ("NB_ERROR", "graded")
    found = items(graded)["exec"]
    assert (found.outcome, found.cause, room.jobs) == ("failed", cause, [])
    assert facts.items() <= found.facts.items() and "train.ipynb" in found.message
    assert items(graded)["model"].cause == "missing"
    assert section(graded, "train")["outputs"]["model.onnx"]["problem"] == "missing"


def test_a_missing_notebook_is_named(give: Give, room: Counting) -> None:
    graded = give(None)
    assert (graded.report.run_class, items(graded)["exec"].cause) == ("GRADED", "no_notebook")
    assert items(graded)["exec"].message.startswith("There is no train.ipynb")
    assert room.jobs == []


STOPS = {
    "an error": (["raise ValueError('no')", SAVE], "NB_ERROR", "cell_error", {"cell": 2, "error": "ValueError"}),
    "a made-up error": (
        ["class Row17Is3(Exception): pass\nraise Row17Is3"], "NB_ERROR", "cell_error", {"error": "Exception"},
    ),
    "a syntax error": (["def"], "NB_ERROR", "cell_error", {"cell": 2, "error": "SyntaxError"}),
    "an endless cell": (["while True: pass", "1"], "NB_TIMEOUT", "cell_timeout", {"cell": 2, "limit": 4}),
    "an endless cell that will not hear": (
        ["import time\nwhile True:\n  try: time.sleep(1)\n  except BaseException: pass"],
        "NB_TIMEOUT", "cell_timeout", {"cell": 2},
    ),
    "a kernel that kills itself": (
        ["print('all good')", "import os; os.kill(os.getpid(), 9)", "1"],
        "NB_ERROR", "cell_killed", {"cell": 3},
    ),
    "a gigabyte of output": (
        ["for number in range(1000): print('x' * 1_000_000)", "1"], "NB_LIMIT", "cell_output", {"cell": 2},
    ),
    "a gigabyte at file level": (
        ["import os\nwhile True: os.write(1, b'x' * 1_000_000)"], "NB_LIMIT", None, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("cells", "run_class", "cause", "facts"), STOPS.values(), ids=STOPS)
def test_a_notebook_that_stops_is_told_where_and_why(
    give: Give, cells: list[str], run_class: str, cause: str | None, facts: dict[str, Any]
) -> None:
    graded = give(book(*cells))
    found = items(graded)["exec"]
    assert (graded.report.run_class, found.outcome) == (run_class, "failed")
    assert cause is None or found.cause == cause
    assert facts.items() <= found.facts.items()
    assert items(graded)["model"].cause == "missing"
    assert all(not row["executed"] for row in section(graded, "train")["cells"][len(cells) + 1 :])


@pytest.mark.parametrize("name", ["ipykernel_launcher.py", "ipykernel.py", "zmq.py", "signal.py"])
def test_a_file_named_like_a_part_of_the_kernel_hides_nothing(site: Site, tmp_path: Path, name: str) -> None:
    folder = hand_in(tmp_path / "submission", book("1"))
    (folder / name).write_text("raise ImportError('mine')")
    graded = grade(load_lab(LAB), Submission(source=str(folder)), site, Options(seed=1, exercise="E1"))
    assert items(graded)["exec"].outcome == "passed"


LIKE_ANY_KERNEL = """
import atexit, multiprocessing, os, signal, sys
from pathlib import Path
assert [name for name, module in sys.modules.items() if module is None] == []
assert os.getpgid(0) == os.getpid() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
assert __name__ == "__main__" and sys.modules["__main__"].__dict__ is globals()
assert Path.cwd() in [Path(place).resolve() for place in sys.path], sys.path
with multiprocessing.get_context("fork").Pool(1) as pool:
    assert pool.map(abs, [-1]) == [1]
atexit.register(Path(out_dir, "late.txt").write_text, "written when the kernel ends")
"""


def test_the_kernel_is_like_any_kernel_to_the_cells(give: Give) -> None:
    graded = give(book(LIKE_ANY_KERNEL))
    assert items(graded)["exec"].outcome == "passed", section(graded, "train")["result"]["log"]
    assert "late.txt" in section(graded, "train")["others"]


def test_a_kernel_that_never_starts_is_tried_again_and_said(site: Site, room: Counting, tmp_path: Path) -> None:
    folder = hand_in(tmp_path / "submission", book("1"))
    room.env = {"IPYTHONDIR": "/proc/nowhere"}  # where it cannot keep what it needs
    graded = grade(load_lab(LAB), Submission(source=str(folder)), site, Options(seed=1, exercise="E1"))
    assert (items(graded)["exec"].cause, graded.report.run_class) == ("no_start", "NB_ERROR")
    assert section(graded, "train")["result"]["log"].count("the kernel did not start") == 3


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


def test_outputs_baked_in_are_no_evidence(give: Give) -> None:
    stream = {"output_type": "stream", "name": "stdout", "text": "accuracy 0.99"}
    baked = [cell("1", outputs=[stream], execution_count=number) for number in (3, 4)]
    graded = give(book("import os; os._exit(0)", *baked))
    assert items(graded)["exec"].outcome == "failed" and graded.report.run_class == "NB_ERROR"
    assert [row["executed"] for row in section(graded, "train")["cells"][2:]] == [False, False]


def test_printing_success_earns_what_printing_can(give: Give) -> None:
    graded = give(book("print('R2: 0.9999')", drop("metrics.json", b'{"r2": 1.0}')), exercise=None)
    outcomes = {name: item.outcome for name, item in items(graded).items()}
    assert outcomes == {"exec": "passed", "model": "failed", "score": "blocked", "tool": "passed"}
    assert (items(graded)["model"].cause, graded.report.run_class) == ("missing", "GRADED")


WRONG = {
    "text": (drop("model.onnx", b"weights"), "format"),
    "a pickle": (drop("model.onnx", b"cposix\nsystem\n(S'true'\ntR."), "format"),
    "a link": ("import os; os.symlink('/etc/passwd', f'{out_dir}/model.onnx')", "link"),
    "a pipe": ("import os; os.mkfifo(f'{out_dir}/model.onnx')", "special"),
    "weights elsewhere": (
        FIT + "from onnx.external_data_helper import set_external_data\n"
        "model.graph.initializer[0].raw_data = b'0' * 12\n"
        "set_external_data(model.graph.initializer[0], '../../../../etc/passwd')\n"
        "open(f'{out_dir}/model.onnx', 'wb').write(model.SerializeToString())",
        "external",
    ),
}


@pytest.mark.parametrize(("source", "rule"), WRONG.values(), ids=WRONG)
def test_a_wrong_artefact_is_refused_unopened(give: Give, room: Counting, source: str, rule: str) -> None:
    graded = give(book(source))
    found = items(graded)
    assert (graded.report.run_class, found["exec"].outcome) == ("ARTIFACT_REJECT", "passed")
    assert (found["model"].cause, found["model"].facts) == ("rejected", {"file": "model.onnx", "rule": rule})
    assert found["model"].message == words.say(f"rejected_{rule}", "en", {"file": "model.onnx"})
    assert len(room.jobs) == 1, "the model was never run"


def test_a_model_that_does_not_fit_is_told_what_it_lacks(give: Give) -> None:
    graded = give(
        book(FIT.replace('["n", 3]', '["n", 4]').replace("[3, 1], weights.tolist()", "[4, 1], [0.0] * 4"), SAVE),
        exercise="E2",
    )
    found = items(graded)["score"]
    assert (found.outcome, found.cause) == ("failed", "model_shape") and found.facts["run"] == "rows"


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


def test_a_students_copy_says_what_it_cannot_judge(site: Site, tmp_path: Path) -> None:
    copy = tmp_path / "labs" / "92-books"
    shutil.copytree(LAB, copy, ignore=shutil.ignore_patterns("private"))
    folder = hand_in(tmp_path / "submission", book("1"))
    graded = grade(load_lab(copy), Submission(source=str(folder)), site, Options(seed=1))
    causes = {name: item.cause for name, item in items(graded).items()}
    assert causes == {"exec": "hidden", "model": "missing", "score": "blocked", "tool": "hidden"}
    assert graded.report.score is None


def test_the_truth_stays_with_the_grader(give: Give, room: Counting) -> None:
    truth = section(give(book(FIT, SAVE), exercise=None), "model")["rows"]["truth"]
    assert len(truth) == 7 and len(room.sent) > 3
    assert not any(str(number).encode() in one for number in truth for one in room.sent)


def test_a_killed_local_run_leaves_its_folder_to_the_next_one(site: Site, tmp_path: Path) -> None:
    left = site.store.work / "room-dead" / "room-x"
    left.mkdir(parents=True)
    rows = site.store.active / "room-dead"
    rows.mkdir(parents=True)
    (rows / "resources.jsonl").write_text(json.dumps({"kind": "folder", "name": str(left.parent)}) + "\n")
    (tmp_path / "empty").mkdir()
    grade(load_lab(LAB), Submission(source=str(tmp_path / "empty")), site, Options(seed=1, exercise="E3"))
    assert not left.parent.exists() and not rows.exists()


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("cause", [*OF_EXECUTIONS.values(), *OF_MODELS.values(), "missing", "rejected"])
def test_each_cause_has_words(cause: str, lang: Any) -> None:
    assert words.known(cause) and words.template(cause, lang).strip()


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


def test_stored_evidence_is_plain_json(give: Give) -> None:
    graded = give(book(FIT, SAVE, metadata=KERNEL))
    stored = (graded.run.path / "evidence.json").read_text()
    assert json.loads(stored)["sections"]["train"]["result"]["ok"] is True


def test_what_is_kept_from_being_imported_is_the_same_in_a_sandbox_made_ahead() -> None:
    tree = ast.parse((ROOT / "grader/execution/inside/notebook.py").read_text(encoding="utf-8"))
    (listed,) = [node.value for node in tree.body if isinstance(node, ast.Assign) and "UNUSED" in ast.dump(node)]
    assert [f"-{name}" for name in ast.literal_eval(listed)] == [*UNUSED]
