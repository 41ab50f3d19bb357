"""Run one notebook from a fresh copy of what a student starts from, and say what each cell took and what went wrong.

The kernel runs below a child process of its own session, under an outer clock; the folder of files, the folder of data
and the folder that it stands in are three different ones. It is no sandbox: notebooks here are the course's own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.errors import Fact, InfraError
from grader.notebooks.build import notebook_bytes
from grader.notebooks.source import Source
from grader.notebooks.versions import Version
from grader.records import Lang

CELL_SECONDS = 120
BUDGET = {True: 60.0, False: 300.0}  # CPU-seconds that a run may take, fast and full
_OURS = Path(__file__).resolve().parents[2]
_ERROR_MARK = "papermill-error-cell-tag"


@dataclass(frozen=True)
class Order:
    """Which notebook is run, and how."""

    source: Source
    lang: Lang = "en"
    version: Version = "solution"
    fast: bool = True
    seed: int = 0
    seconds: float = 600.0


@dataclass(frozen=True)
class CellRun:
    """One code cell that was run. `error` is its exception's class, `text` what that said."""

    number: int  # from 1, Markdown cells counted, as in the version that was run
    first: str
    tags: tuple[str, ...]
    exercise: str | None
    seconds: float | None
    error: str | None = None
    text: str = ""


@dataclass(frozen=True)
class Ran:
    """What a run showed. `problem` is the first thing wrong: its code in `words` and facts; None where all is well."""

    problem: tuple[str, dict[str, Fact]] | None
    cells: tuple[CellRun, ...]
    seconds: float
    cpu_seconds: float
    verdicts: Mapping[str, str]
    notebook: Path


def run_notebook(order: Order, files: Mapping[str, Path], folder: Path, home: Path) -> Ran:
    """Run the notebook below `folder` (made anew) with `files` laid out, for a checkout `home`. Raises `InfraError`."""
    work, here = folder / "work", folder / "here"
    for name, file in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, work / name)
    (work / "data").mkdir(parents=True, exist_ok=True)
    here.mkdir(parents=True)
    given, done = folder / "given.ipynb", folder / f"{order.source.name}.ipynb"
    given.write_bytes(notebook_bytes(order.source, order.version, order.lang))
    parameters = {
        "seed": order.seed, "fast": order.fast, "bets": "auto", "data_dir": str(work / "data"),
        "out_dir": str(work), "lang": order.lang,
    }  # fmt: skip
    request = {
        "given": str(given), "done": str(done), "here": str(here), "parameters": parameters, "seconds": CELL_SECONDS,
    }  # fmt: skip
    before = time.monotonic()
    answer, cpu = _below_the_clock(request, folder, home, order.seconds)
    seconds = time.monotonic() - before
    cells = read_cells(done)
    problem = _trouble(answer, cells, order) or judge(cells, order.version)
    if problem is None and order.version == "solution":
        problem = unmet(cells, read_checks(work / ".workbench.json"))
    if problem is None and cpu > BUDGET[order.fast]:
        problem = ("nb_run_budget", {"found": round(cpu), "most": BUDGET[order.fast]})
    return Ran(problem, cells, round(seconds, 1), round(cpu, 1), read_verdicts(work / "results.json"), done)


def judge(cells: tuple[CellRun, ...], version: Version) -> tuple[str, dict[str, Fact]] | None:
    """The first cell that ended as it should not: in the student's version, stubs alone raise, and all of them do."""
    for cell in cells:
        stub = version == "student" and "exercise" in cell.tags
        where: dict[str, Fact] = {"cell": cell.number, "first": cell.first}
        if stub and cell.error is None:
            return "nb_run_stub", {**where, "id": cell.exercise}
        if stub and (cell.error, cell.text) == ("NotImplementedError", cell.exercise):
            continue
        if cell.error is not None:
            return "nb_run_error", {**where, "error": cell.error, "text": cell.text}
    return None


def unmet(cells: tuple[CellRun, ...], checks: Mapping[str, list[str]]) -> tuple[str, dict[str, Fact]] | None:
    """The first solved exercise whose own check, as `checks` tell it, finds a fault, or that was not checked at all."""
    for cell in cells:
        if cell.exercise is None:
            continue
        found = checks.get(cell.exercise.partition(".")[2])
        if found is None:
            return "nb_run_unchecked", {"id": cell.exercise}
        if found:
            return "nb_run_unmet", {"id": cell.exercise, "found": ", ".join(found)}
    return None


def read_checks(path: Path) -> dict[str, list[str]]:
    """What the last check of each exercise left open, from a notebook's `.workbench.json`: `item (cause)`."""
    try:
        checks = json.loads(path.read_bytes())["checks"]
        return {name: [f"{one['item']} ({one['cause']})" for one in entry["open"]] for name, entry in checks.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}


def read_cells(path: Path) -> tuple[CellRun, ...]:
    """The code cells of an executed notebook, none where there is no such file; what the run added is left out."""
    if not path.is_file():
        return ()
    cells = json.loads(path.read_bytes())["cells"]
    added = {"injected-parameters", _ERROR_MARK}
    own = [cell for cell in cells if not added & set(cell["metadata"].get("tags", ()))]
    return tuple(_cell_run(number, cell) for number, cell in enumerate(own, 1) if cell["cell_type"] == "code")


def read_verdicts(path: Path) -> dict[str, str]:
    """The verdict of each myth, by its id, from a notebook's `results.json`."""
    try:
        notes = json.loads(path.read_bytes())["notes"]
        return {name: note["verdict"] for name, note in notes.items() if isinstance(note, dict) and "verdict" in note}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}


def _cell_run(number: int, cell: Mapping[str, Any]) -> CellRun:
    text = "".join(cell["source"])
    error = next((output for output in cell["outputs"] if output["output_type"] == "error"), None)
    meta = cell["metadata"]
    return CellRun(
        number,
        next((line for line in text.splitlines() if line.strip()), "")[:60],
        tuple(meta.get("tags", ())),
        meta.get("exercise"),
        meta.get("papermill", {}).get("duration"),
        error["ename"] if error else None,
        _one_line(error["evalue"]) if error else "",
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _below_the_clock(request: dict[str, Any], folder: Path, home: Path, seconds: float) -> tuple[dict[str, Any], float]:
    """What the child says (`{}` when its time was up), and the CPU-seconds of it and of the kernel."""
    asked, log = folder / "request.json", folder / "log.txt"
    asked.write_text(json.dumps(request), encoding="utf-8")
    environ = {
        **os.environ,
        "GRADER_HOME": str(home),
        "GRADER_RUNS": str(folder / "runs"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_OURS), os.environ.get("PYTHONPATH")])),
    }
    command = [sys.executable, "-m", "grader.notebooks.inside", str(asked)]
    with open(log, "wb") as errors:
        child = subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True
        )
        status, cpu = _wait(child, seconds)
    answer = folder / "answer.json"
    if answer.is_file():
        return dict(json.loads(answer.read_text(encoding="utf-8"))), cpu
    if status is None:
        return {}, cpu
    raise InfraError("nb_run_broken", status=status, log=_tail(log))


def _wait(child: subprocess.Popen[bytes], seconds: float) -> tuple[int | None, float]:
    """The exit status (None when its time was up) and the CPU-seconds of the child and of all that it waited for."""
    ends = time.monotonic() + seconds
    in_time = True
    try:
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                child.returncode = os.waitstatus_to_exitcode(status)  # Popen must not wait for it again
                return child.returncode if in_time else None, usage.ru_utime + usage.ru_stime
            if in_time and time.monotonic() > ends:
                in_time = False
                _end(child.pid)
            time.sleep(0.05)
    except BaseException:
        _end(child.pid)
        raise


def _end(pid: int) -> None:
    """End the child and everything below it; a kernel is in a session of its own."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.kill()
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _trouble(answer: Mapping[str, Any], cells: tuple[CellRun, ...], order: Order) -> tuple[str, dict[str, Fact]] | None:
    """What stopped the run as a whole."""
    reached = next((cell for cell in reversed(cells) if cell.seconds is not None), None)
    where: dict[str, Fact] = {"cell": reached.number if reached else 0, "first": reached.first if reached else "-"}
    if not answer:
        return "nb_run_timeout", {**where, "seconds": order.seconds}
    problem = answer["problem"]
    if problem == "cell_timeout":
        return "nb_run_cell_timeout", {**where, "seconds": CELL_SECONDS}
    if problem == "dead":
        return "nb_run_dead", where
    if problem is not None:
        raise InfraError("nb_run_missing", what=problem)
    return None


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "-"
