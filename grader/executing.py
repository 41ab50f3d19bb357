"""The interpreter of a notebook lab: sandboxed executions first, then the files that they and the student made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

from grader.artifacts import STANDARD_DOMAINS, scan
from grader.checks import Feed, Given
from grader.errors import LabError
from grader.execution.cells import cell_rows, not_run
from grader.execution.reading import Row, Unreadable, read_notebook
from grader.lab_runs import harness_files, harness_folder, lab_file
from grader.modelling import Model, ask_model
from grader.modules import marked
from grader.nearest import near_miss
from grader.records import ArtifactSpec, ExecuteSpec, Json, Lab, Plan, RunClass, Staged
from grader.workrooms import Done, Job, Output, Workroom

EXECUTED = ".executed.ipynb"  # among the results, where no lab asks for it
START = "start/notebook.py"
INSIDE = resources.files("grader.execution.inside")
STARTING = ("notebook.py", "lean.py", "forked.py", "meter.py")
TEXT_BYTES = 256 * 1024
OUTPUT_BYTES = 16 * 1024 * 1024
# How the script that runs a notebook says, by its exit code, why it ended early.
ENDED = {11: "timeout", 12: "output", 13: "killed", 14: "no_start"}
CLASSES: dict[str, RunClass] = {
    "not_a_notebook": "NB_ERROR", "old_format": "NB_ERROR", "no_kernel": "NB_ERROR", "no_start": "NB_ERROR",
    "exit": "NB_ERROR", "killed": "NB_ERROR",
    "timeout": "NB_TIMEOUT",
    "memory": "NB_LIMIT", "output": "NB_LIMIT", "disk": "NB_LIMIT",
}  # fmt: skip
Span = Callable[[str], AbstractContextManager[None]]
Files = dict[str, bytes | Path]


@dataclass(frozen=True)
class Desk:
    """What executing needs beside the plan: where programs run, the common files, a folder for what they leave."""

    room: Workroom
    common: Path
    work: Path
    progress: Callable[[str, str], None]


@dataclass(frozen=True)
class Executed:
    """The evidence of all executions and artefacts, and the class of the run as a whole."""

    sections: dict[str, dict[str, Json]]
    run_class: RunClass


def execute(plan: Plan, staged: Staged, lab: Lab, desk: Desk, span: Span) -> Executed:
    """Carry out what the plan names. Raises `InfraError` for our faults, `LabError` where a maker of the lab fails."""
    return _Executing(plan, staged, lab, desk, span).all()


def warm_text() -> str:
    """What a sandbox made ahead runs while it waits: the imports of every notebook."""
    return INSIDE.joinpath("lean.py").read_text(encoding="utf-8")


class _Executing:
    def __init__(self, plan: Plan, staged: Staged, lab: Lab, desk: Desk, span: Span) -> None:
        self.plan = plan
        self.staged = staged
        self.lab = lab
        self.desk = desk
        self.span = span
        self.sections: dict[str, dict[str, Json]] = {}
        self.outputs: dict[str, Mapping[str, Output]] = {}
        self.run_class: RunClass = "GRADED"

    def all(self) -> Executed:
        for name in self.plan.executions:
            self.desk.progress("execute", name)
            with self.span(name):
                self.sections[name] = self._execute(name, self.lab.executions[name])
        for name in self.plan.artifacts:
            self.desk.progress("examine", name)
            with self.span(name):
                self.sections[name] = self._examine(name, self.lab.artifacts[name])
        return Executed(self.sections, self.run_class)

    def _execute(self, name: str, spec: ExecuteSpec) -> dict[str, Json]:
        given = self._make(name, "gives", spec.given)
        harness = harness_folder(self.lab, spec.harness) if spec.harness else None
        if (spec.given and given is None) or (spec.harness and harness is None):
            return {}  # a student's copy: what the teacher's has is sealed
        cells: list[Row] = []
        if spec.notebook is not None:
            try:
                cells = self._read(spec.notebook)
            except Unreadable as error:
                return self._unrun(error.problem, error.facts, spec, given)
            except FileNotFoundError:
                return self._unrun("no_notebook", {"file": spec.notebook}, spec, given)
        files = self._files(spec, given, harness)
        done = self.desk.room.do(self._job(spec, files), self.desk.work / "taken" / name)
        return self._told(name, spec, done, cells, given)

    def _read(self, name: str) -> list[Row]:
        """The cells of the submitted notebook. Raises `FileNotFoundError` where there is none of that name."""
        if name not in {file.path for file in self.staged.files}:
            raise FileNotFoundError(name)
        return read_notebook(Path(self.staged.root, name), runnable=True)

    def _unrun(self, problem: str, facts: dict[str, Json], spec: ExecuteSpec, given: Given | None) -> dict[str, Json]:
        """The section of a notebook that cannot be run at all."""
        self._class(problem)
        missing = {"size": 0, "sha256": None, "problem": "missing"}
        return {
            "result": self._result(problem=problem, facts={"file": spec.notebook, **facts}),
            "cells": [],
            "outputs": dict.fromkeys(spec.take, missing),
            "texts": {},
            "others": [],
            "truth": given.truth if given else None,
        }

    def _told(self, name: str, spec: ExecuteSpec, done: Done, cells: list[Row], given: Given | None) -> dict[str, Json]:
        """The section of a program that ran."""
        outputs = {file: done.outputs[file] for file in spec.take}
        self.outputs[name] = outputs
        problem: str | None = done.problem
        if spec.notebook is not None and problem == "exit":
            problem = ENDED.get(done.exit_code or 0, "exit")
        section: dict[str, Json] = {
            "outputs": {file: {"size": one.size, "sha256": one.sha256, "problem": one.problem}
                        for file, one in outputs.items()},
            "texts": {file: text for file, one in outputs.items() if (text := _text(one)) is not None},
            "others": [other for other in done.others if other != EXECUTED],
            "truth": given.truth if given else None,
        }  # fmt: skip
        facts: dict[str, Json] = {"file": spec.notebook} if spec.notebook is not None else {}
        if spec.notebook is not None:
            section["cells"] = _cells(cells, done.outputs[EXECUTED])
            facts["cell"] = next((row["index"] + 1 for row in section["cells"] if row["stopped"]), None)
            if problem is not None:
                self._class(problem)
        seconds = spec.cell_seconds if done.exit_code is not None else spec.seconds
        section["result"] = self._result(problem, done, facts | {"limit": seconds if problem == "timeout" else None})
        return section

    def _result(
        self, problem: str | None, done: Done | None = None, facts: dict[str, Json] | None = None
    ) -> dict[str, Json]:
        return {
            "ok": problem is None,
            "problem": problem,
            "facts": facts or {},
            "exit_code": done.exit_code if done else None,
            "seconds": done.seconds if done else 0.0,
            "log": done.log if done else "",
            "engine": "container" if self.desk.room.boundary else "local",
        }

    def _class(self, problem: str) -> None:
        """The first notebook that fails gives the run its class."""
        if self.run_class == "GRADED":
            self.run_class = CLASSES.get(problem, "GRADED")

    def _files(self, spec: ExecuteSpec, given: Given | None, harness: Path | None) -> dict[str, Files]:
        work: Files = {file.path: Path(self.staged.root, file.path) for file in self.staged.files}
        data: Files = {name: _there(lab_file(self.lab, name)) for name in spec.data}
        data |= dict(given.files) if given else {}
        trusted: Files = dict(harness_files(harness)) if harness else {}
        if spec.notebook is not None:
            trusted |= {f"start/{name}": INSIDE.joinpath(name).read_bytes() for name in STARTING}
        return {"work": work, "data": data, "lab": trusted}

    def _job(self, spec: ExecuteSpec, files: dict[str, Files]) -> Job:
        program, take = spec.command, spec.take
        if spec.notebook is not None:
            usual = {"seed": 0, "bets": "auto", "data_dir": "{data}", "out_dir": "{out}"}
            asked = {
                "notebook": f"{{work}}/{spec.notebook}",
                "executed": f"{{out}}/{EXECUTED}",
                "parameters": usual | spec.parameters,
                "cell_seconds": spec.cell_seconds,
                "output_bytes": OUTPUT_BYTES,
            }
            program, take = ("-I", f"{{lab}}/{START}", json.dumps(asked)), (*spec.take, EXECUTED)
        return Job(program, files, spec.seconds, memory_mib=spec.memory_mib, take=take)

    def _make(self, owner: str, mark: str, name: str | None) -> Any:
        """What the lab's maker of that name makes for `owner`; None where none is asked for or this copy lacks it."""
        if name is None:
            return None
        root = Path(self.lab.root)
        paths = [path for path in (root / "inputs.py", root / "private" / "inputs.py") if path.is_file()]
        makers = {label: maker for path in paths for label, maker in marked(path, mark)}
        if name not in makers:
            if not (root / "private").is_dir():
                return None
            facts = {"mark": {"gives": "given", "feeds": "feed"}[mark], "name": name, "near": near_miss(name, makers)}
            raise LabError("lab_maker_unknown", path=str(root / "inputs.py"), **facts)
        chance = Random(f"{self.plan.seed}:{owner}:{name}")
        try:
            made = makers[name](chance) if mark == "gives" else makers[name](chance, self.desk.common)
            json.dumps(made.truth, allow_nan=False)
        except Exception as error:  # a bug of the lab's, whatever it is
            problem = {"exception": type(error).__name__, "problem": str(error)[:300]}
            raise LabError("lab_maker_fail", path=str(root), name=name, **problem) from error
        return made

    def _examine(self, name: str, spec: ArtifactSpec) -> dict[str, Json]:
        """The section of one artefact: what it is, and what it answers where nothing is wrong with it."""
        path, refused = self._place(spec)
        section: dict[str, Json]
        if path is None:
            empty = {"path": spec.file, "size": 0, "sha256": None, "gzip_size": None, "facts": {}}
            section = {"file": empty | {"problem": refused}, "pickles": []}
        else:
            section = scan(path, spec.format, (*STANDARD_DOMAINS, *spec.domains))
            section["file"]["path"] = spec.file
        problem = section["file"]["problem"]
        if problem not in (None, "missing") and self.run_class == "GRADED":
            self.run_class = "ARTIFACT_REJECT"
        if problem is None and path is not None:
            model = Model(path, spec.format, tuple(section["file"]["facts"].get("external", ())))
            for label, run in spec.runs.items():
                feed: Feed | None = self._make(name, "feeds", run.feed)
                if feed is None:
                    continue
                self.desk.progress("model", f"{name}: {label}")
                with self.span(f"{name}.{label}"):
                    section[label] = ask_model(self.desk.room, self.lab, model, run, feed)
        return section

    def _place(self, spec: ArtifactSpec) -> tuple[Path | None, str]:
        """Where the artefact's bytes are; None with the problem where there are none to look at."""
        if spec.from_ is not None:
            output = self.outputs.get(spec.from_, {}).get(spec.file)
            return (output.path, output.problem or "") if output else (None, "missing")
        if spec.file not in {file.path for file in self.staged.files}:
            return None, "missing"
        return Path(self.staged.root, spec.file), ""


def _there(path: Path | None) -> Path:
    """The lab was loaded with this file in place."""
    if path is None:
        raise LabError("lab_broken", path="-", where="data", problem="-")
    return path


def _text(output: Output) -> str | None:
    """A result's text, where it is UTF-8 and not too long."""
    if output.path is None or output.size > TEXT_BYTES:
        return None
    try:
        return output.path.read_bytes().decode()
    except UnicodeDecodeError:
        return None


def _cells(submitted: list[Row], executed: Output) -> list[dict[str, Json]]:
    if executed.path is None:
        return not_run(submitted)
    try:
        return cell_rows(submitted, read_notebook(executed.path, runnable=False))
    except Unreadable:
        return not_run(submitted)
