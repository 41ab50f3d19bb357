"""Tricks that bring full marks elsewhere, each beside right and beside wrong work: none gains or loses a point here.

They work where the judge runs in the student's process: what it asserts, what runs it, what it compares with and how it
ends are then the student's to change.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from grader import images
from grader.engines.docker import connect
from grader.engines.owned import Owned
from grader.engines.reaper import Ledger
from grader.lab import load_lab
from grader.pipeline import Options, Site, grade
from grader.records import Submission
from grader.store import Store
from grader.workrooms.container import ContainerRoom
from grader.workrooms.local import LocalRoom
from tests.corpus.gen.notebook_pieces import FIT, M_ZERO, drop, notebook

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
LAB = ROOT / "tests" / "corpus" / "lab-n"
# The cells that write the model and the figure: honest ones, and a model of zeros with a figure to match a perfect one.
WORKS = {"right": FIT, "wrong": (drop("metrics.json", b'{"r2": 1.0}'), drop("model.onnx", M_ZERO))}

NO_ASSERTS = """
import ast
from importlib.machinery import SourceFileLoader

class Drop(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)

get_ipython().ast_transformers.append(Drop())
SourceFileLoader.source_to_code = lambda _, data, path, **k: compile(Drop().visit(ast.parse(data)), path, "exec")
"""
RUNNER = """
import sys, types, unittest
always = types.ModuleType("runner")
always.main = always.run = always.check = always.grade = always.Notebook = lambda *a, **k: 0
for name in ("pytest", "otter", "nbgrader", "check50", "nbval", "grader", "workbench", "judge"):
    sys.modules[name] = always
unittest.TestCase.run = lambda self, result=None: result
unittest.main = lambda *a, **k: None
"""
EQUAL = """
import builtins
import numpy as np

class Anything(float):
    __eq__ = __ge__ = __le__ = __lt__ = __gt__ = lambda *a: True
    __ne__ = lambda *a: False
    __hash__ = float.__hash__
    __sub__ = __rsub__ = lambda *a: 0.0

r2 = accuracy = score = answer = Anything(1)
builtins.abs = lambda value: 0
np.allclose = np.array_equal = lambda *a, **k: True
np.testing.assert_allclose = np.testing.assert_array_equal = lambda *a, **k: None
assert r2 == 0 and r2 > 10
"""
OWN_FILES = {
    "conftest.py": "import pytest\n@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_makereport(item, call):\n    "
    "call.excinfo = None\n",
    "pytest.py": "main = lambda *a, **k: 0\n",
    "sitecustomize.py": "import unittest\nunittest.TestCase.run = lambda self, result=None: result\n",
    "grader.py": "raise SystemExit(0)\n",
    "checks.py": "def check(*a, **k):\n    return lambda f: (lambda *a: None)\n",
    "report.json": json.dumps({"score": 100, "max_score": 100}),
}
EXIT = "import os\nos._exit(0)\n"
# What comes before the work, what after it, what lies beside it; and the score of each work with the trick.
TRICKS: dict[str, tuple[tuple[str, ...], tuple[str, ...], dict[str, str], dict[str, int]]] = {
    "none": ((), (), {}, {"right": 100, "wrong": 40}),
    "a hook drops asserts": ((NO_ASSERTS, "assert False"), (), {}, {"right": 100, "wrong": 40}),
    "a replaced test runner": ((RUNNER,), (), OWN_FILES, {"right": 100, "wrong": 40}),
    "an object equal to anything": ((EQUAL,), (), {}, {"right": 100, "wrong": 40}),
    # The cell did not end: that item is gone; what was made before it is judged as it is.
    "an exit that looks like success": ((), (EXIT,), {}, {"right": 80, "wrong": 20}),
    "an exit before anything": ((EXIT,), (), {}, {"right": 0, "wrong": 0}),
}


@pytest.fixture(scope="module", params=["local", pytest.param("container", marks=pytest.mark.engine)])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tricks")
    store = Store(folder / "runs")
    with ExitStack() as stack:
        if request.param == "local":
            room: LocalRoom | ContainerRoom = stack.enter_context(LocalRoom(folder / "rooms", CACHE))
            yield Site(ROOT, CACHE, store, None, None, lambda step, detail: None, room)
            return
        engine = connect()
        stack.callback(engine.close)
        owned = stack.enter_context(Owned(engine, stack.enter_context(Ledger(store.active, "tricks"))))
        image = images.ensure_notebook(engine, CACHE, lambda message: None).id
        room = stack.enter_context(ContainerRoom(owned, image))
        yield Site(ROOT, CACHE, store, engine, None, lambda step, detail: None, room)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_gains_or_loses_a_point(site: Site, trick: str, work: str, tmp_path: Path) -> None:
    before, after, beside, scores = TRICKS[trick]
    for name, text in beside.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "train.ipynb").write_bytes(notebook(*before, *WORKS[work], *after))
    report = grade(load_lab(LAB), Submission(source=str(tmp_path)), site, Options(seed=1)).report
    lost = {item.id: (item.cause, item.facts) for item in report.items if item.outcome != "passed"}
    assert (report.status, report.score) == ("graded", scores[work]), lost


@pytest.mark.engine
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [0.5, 2, 4])
def test_a_grader_killed_in_mid_run_gives_no_score_and_takes_none(seconds: float, tmp_path: Path) -> None:
    submission, runs = tmp_path / "submission", tmp_path / "runs"
    submission.mkdir()
    # A run that lasts: the kill falls into it wherever the notebook is by then.
    (submission / "train.ipynb").write_bytes(notebook("import time\ntime.sleep(5)", *FIT))
    command = [
        sys.executable,
        "-m",
        "grader",
        "run",
        str(LAB),
        str(submission),
        "--engine",
        "docker",
        "--format",
        "json",
    ]
    environ = {**os.environ, "GRADER_RUNS": str(runs), "GRADER_HOME": str(ROOT)}
    grader = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not containers(runs) and grader.poll() is None:
        time.sleep(0.05)
    time.sleep(seconds)
    grader.kill()
    said, _ = grader.communicate()
    assert (grader.returncode, said) == (-signal.SIGKILL, b"")
    names = containers(runs)
    assert names and not list(runs.glob("*/*/report.json"))
    again = subprocess.run(command, env=environ, capture_output=True, check=False)
    assert json.loads(again.stdout)["score"] == 100, again.stderr
    assert len(list(runs.glob("*/*/report.json"))) == 1
    assert not list(runs.glob("active/*")) and not list(runs.glob("work/*"))
    engine = connect()
    left = {name.lstrip("/") for row in engine._api.containers(all=True) for name in row["Names"]}
    engine.close()
    assert not names & left


def containers(runs: Path) -> set[str]:
    """The names of the containers that runs in progress have announced."""
    rows = [
        json.loads(line) for path in runs.glob("active/*/resources.jsonl") for line in path.read_text().splitlines()
    ]
    return {row["name"] for row in rows if row["kind"] == "container" and "id" in row}
