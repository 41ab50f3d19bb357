"""Seconds per submission of nbgrader, otter-grader and ours, on the notebook of tests/bench/throughput/, in turns.

The others have virtual environments of their own under .cache/bench/, with our pins of the Jupyter stack. Both run the
notebook as the user who calls them, without a sandbox; ours gives each submission a sandbox of its own, and works on
one more at a time than there are cores. A round grades one right and one wrong answer as well, so that what is timed
is known to be grading.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from grader.lab import load_lab
from grader.pipeline import Options, grade
from grader.records import Submission
from tests.bench.common import CACHE, ROOT, Results, Row, repetitions, spread_of, table
from tests.bench.throughput import AT_ONCE as CORES
from tests.bench.throughput import FOLDER, MEASURED, graded_one, hand_in, place
from tests.bench.throughput import timed as seconds_of

PINS = {"nbgrader": "0.9.6", "otter-grader": "7.0.0"}
OURS = "ours"
BATCH = 10
FAULT = ("argmin", "argmax")  # in the cell `nearest`: its own question is lost, and the result's
POINTS = {"right": 4.0, "wrong": 2.0}
SECONDS = 300.0


def main() -> None:
    rounds = repetitions(__doc__, 5)
    results = Results("others", [*MEASURED, "tests/bench/throughput", "constraints.txt"])
    for tool in PINS:
        ensure_environment(tool)
    for number in range(rounds):
        for tool, measure in (("nbgrader", nbgrader_round), ("otter-grader", otter_round), (OURS, ours_round)):
            results.once(lambda tool=tool, measure=measure: in_folder(tool, measure), tool=tool, round=number)
    publish(results)


def ensure_environment(tool: str) -> None:
    """The tool at its pinned version in .cache/bench/, made where it is not there."""
    folder = CACHE / "bench" / tool
    mark = folder / "installed"
    wanted = f"{tool}=={PINS[tool]}"
    if mark.exists() and mark.read_text() == wanted:
        return
    print(f"installing {wanted} in {folder} (half a minute)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    install = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", wanted, "numpy", "ipykernel"]
    subprocess.run([*install, "--constraint", ROOT / "constraints.txt"], check=True)
    mark.write_text(wanted)


def in_folder(tool: str, measure: Callable[[Path], Row]) -> Row:
    """What a measurement gives in a fresh folder, which is removed afterwards."""
    folder = CACHE / "bench" / f"{tool}-round"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return measure(folder)
    finally:
        shutil.rmtree(folder)


def timed(tool: str, folder: Path, *command: str) -> float:
    """Seconds that a command of the tool's environment takes in `folder`; the kernel is that environment's."""
    binaries = CACHE / "bench" / tool / "bin"
    private = {"PATH": f"{binaries}:{os.environ['PATH']}", "HOME": str(folder), "JUPYTER_PATH": str(binaries.parent)}
    started = time.monotonic()
    done = subprocess.run(
        [binaries / command[0], *command[1:]], cwd=folder, env=os.environ | private, timeout=SECONDS,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return time.monotonic() - started


def require_points(tool: str, found: dict[str, float]) -> None:
    """Ends the bench where the right or the wrong answer got other points than it deserves."""
    if found != POINTS:
        raise SystemExit(f"{tool} gave {found}, not {POINTS}")


def answered(which: str) -> Any:
    """The notebook as handed in, with or without the fault."""
    notebook = nbformat.read(FOLDER / "light.ipynb", as_version=4)
    for cell in notebook.cells:
        if which == "wrong" and cell.id == "nearest":
            cell.source = cell.source.replace(*FAULT)
    return notebook


def questions() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "questions.toml").read_text())


# nbgrader


def nbgrader_round(folder: Path) -> Row:
    """One submission alone, then BATCH by one command, in a fresh course."""
    (folder / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'bench'\n")
    source = nbgrader_notebook("right", marked=True)
    write_notebook(folder / "source/light/light.ipynb", source)
    timed("nbgrader", folder, "nbgrader", "generate_assignment", "light")
    names = {"right": "right", "wrong": "wrong"} | {f"s{number:02}": "right" for number in range(BATCH)}
    for name, which in names.items():
        write_notebook(folder / f"submitted/{name}/light/light.ipynb", nbgrader_notebook(which))
    one = timed("nbgrader", folder, "nbgrader", "autograde", "light", "--student=right")
    timed("nbgrader", folder, "nbgrader", "autograde", "light", "--student=wrong")
    many = timed("nbgrader", folder, "nbgrader", "autograde", "light", "--student=s*")
    points = nbgrader_points(folder)
    require_points("nbgrader", {name: points[name] for name in POINTS})
    if {points[name] for name in names if name not in POINTS} != {POINTS["right"]}:
        raise SystemExit(f"nbgrader gave {points}")
    return {"one": round(one, 2), "each_of_many": round(many / BATCH, 2)}


def nbgrader_notebook(which: str, marked: bool = False) -> Any:
    """The notebook with nbgrader's metadata and its cells of tests; `marked` is the teacher's version."""
    notebook, asked = answered(which), questions()
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.id not in asked:
            continue
        cell.metadata["nbgrader"] = nbgrader_metadata(cell.id, solution=True)
        if marked:
            cell.source = f"### BEGIN SOLUTION\n{cell.source}\n### END SOLUTION"
        lines = "\n".join(f"assert {line}" for line in asked[cell.id]["asserts"])
        test = nbformat.v4.new_code_cell(lines, id=f"test-{cell.id}")
        test.metadata["nbgrader"] = nbgrader_metadata(test.id, points=asked[cell.id]["points"])
        cells.append(test)
    notebook.cells = cells
    return notebook


def nbgrader_metadata(name: str, *, solution: bool = False, points: int | None = None) -> Row:
    told = {"grade_id": name, "grade": points is not None, "locked": points is not None, "solution": solution}
    return told | {"schema_version": 3, "task": False} | ({} if points is None else {"points": points})


def nbgrader_points(folder: Path) -> dict[str, float]:
    """Points of each student, from the course's own data base."""
    query = (
        "select submitted_assignment.student_id, sum(grade.auto_score) from grade"
        " join submitted_notebook on submitted_notebook.id = grade.notebook_id"
        " join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id"
        " group by submitted_assignment.student_id"
    )
    connection = sqlite3.connect(folder / "gradebook.db")
    try:
        return dict(connection.execute(query).fetchall())
    finally:
        connection.close()


# otter-grader


def otter_round(folder: Path) -> Row:
    """One `otter run`, then BATCH of them one after the other; `otter grade` would need an image from a registry."""
    for name, asked in questions().items():
        path = folder / "tests" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(otter_test(name, asked))
    timed("otter-grader", folder, "otter", "generate", "--tests-dir", "tests", "--output-path", "autograder.zip",
          "--no-config", "--no-requirements", "--no-environment")  # fmt: skip
    found, seconds = {}, {}
    for which in POINTS:
        write_notebook(folder / f"{which}.ipynb", otter_notebook(which))
        seconds[which] = otter_run(folder, which)
        told = json.loads((folder / which / "results.json").read_text())
        found[which] = sum(float(test["score"]) for test in told["tests"] if test["name"] in questions())
    require_points("otter-grader", found)
    many = sum(otter_run(folder, "right") for _ in range(BATCH))
    return {"one": round(seconds["right"], 2), "each_of_many": round(many / BATCH, 2)}


def otter_run(folder: Path, which: str) -> float:
    (folder / which).mkdir(exist_ok=True)
    return timed("otter-grader", folder, "otter", "run", "--no-logo", "--autograder", "autograder.zip",
                 "--output-dir", which, f"{which}.ipynb")  # fmt: skip


def otter_test(name: str, asked: Row) -> str:
    """One question in otter's own format: one doctest, so that its points are given whole or not at all."""
    code = "".join(f">>> bool({line})\nTrue\n" for line in asked["asserts"])
    case = {"code": code, "hidden": False, "locked": False}
    suite = {"cases": [case], "scored": True, "setup": "", "teardown": "", "type": "doctest"}
    test = {"name": name, "points": asked["points"], "suites": [suite]}
    return f"OK_FORMAT = True\ntest = {test!r}\n"


def otter_notebook(which: str) -> Any:
    """The notebook with the cells that `otter assign` adds."""
    notebook, asked = answered(which), questions()
    start = nbformat.v4.new_code_cell('import otter\n\ngrader = otter.Notebook("light.ipynb")', id="otter")
    cells = [start]
    for cell in notebook.cells:
        cells.append(cell)
        if cell.id in asked:
            cells.append(nbformat.v4.new_code_cell(f'grader.check("{cell.id}")', id=f"check-{cell.id}"))
    notebook.cells = cells
    return notebook


# ours


def ours_round(folder: Path) -> Row:
    """One by its command, then BATCH in sandboxes made ahead; the block ends when as many stand ready as before.

    One more at a time than there are cores: each waits now and then.
    """
    submissions = [hand_in(folder / f"s{number}") for number in range(BATCH)]
    command = [sys.executable, "-m", "grader", "run", FOLDER / "lab", submissions[0], "--fresh"]
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"GRADER_RUNS": str(folder / "runs")})
    one = time.monotonic() - started
    write_notebook(folder / "wrong/light.ipynb", answered("wrong"))
    with place(folder, CORES + 1) as (site, room):
        many = seconds_of(lambda path: graded_one(site, path), submissions, room, CORES + 1)
        wrong = grade(load_lab(FOLDER / "lab"), Submission(source=str(folder / "wrong")), site, Options(seed=1)).report
    if wrong.score != 10:
        raise SystemExit(f"ours gave {wrong.score}, not 10")
    return {"one": round(one, 2), "each_of_many": round(many / BATCH, 2)}


def write_notebook(path: Path, notebook: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def publish(results: Results) -> None:
    names = {tool: f"{tool} {version}" for tool, version in PINS.items()} | {OURS: OURS}
    measured = {tool: results.where(tool=tool) for tool in names}
    rows = []
    for tool, name in names.items():
        sides = [[row[side] for row in measured[tool]] for side in ("one", "each_of_many")]
        pairs = zip(measured[tool], measured[OURS], strict=True)
        times = [row["each_of_many"] / ours["each_of_many"] for row, ours in pairs]
        rows.append([name, *map(spread_of, [*sides, times]), len(times)])
    header = ["tool", "one submission, s", f"each of {BATCH}, s", "times ours", "rounds"]
    note = (
        "Median [lowest..highest] of wall clock seconds. nbgrader grades many by one command; otter-grader is `otter"
        " run`, once for each. Neither isolates the notebook from the machine here. Ours gives each a sandbox of its"
        f" own, {CORES + 1} at a time on {CORES} cores."
    )
    results.publish("Seconds per submission of other graders", f"{table(header, rows)}\n\n{note}")


if __name__ == "__main__":
    main()
