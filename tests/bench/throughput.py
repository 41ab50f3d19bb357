"""What a sandbox costs: 20 submissions of one light notebook graded, against papermill alone on the same 20.

Both take as many at a time as there are cores. Blocks of the two alternate, so that whatever else the machine does
falls on both. A block of grading ends when as many sandboxes stand ready as at its beginning: each one is paid for, and
none is made while papermill has the machine. The goal is a ratio of 1.25. 100 stored runs are judged again as well,
which starts nothing; the goal is 10 seconds.

Our script starts papermill without a grammar of web addresses that takes half of its start, so a third column runs that
very script without a sandbox: against it, the cost of the sandbox alone can be seen.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from grader.engines.docker import connect
from grader.engines.owned import Owned
from grader.engines.reaper import Ledger
from grader.executing import OUTPUT_BYTES, warm_text
from grader.images import ensure_notebook
from grader.lab import load_lab
from grader.pipeline import Options, Site, grade, regrade
from grader.records import Submission
from grader.store import Store
from grader.workrooms.container import ContainerRoom
from tests.bench.common import CACHE, HERE, ROOT, Results, Row, repetitions, spread_of, table

FOLDER = HERE / "throughput"
NOTEBOOK = FOLDER / "light.ipynb"
SCRIPT = ROOT / "grader" / "execution" / "inside" / "notebook.py"
SUBMISSIONS, BLOCK = 20, 4
AT_ONCE = os.cpu_count() or 1
REGRADES = 100
MEASURED = ("grader/engines", "grader/execution", "grader/workrooms", "grader/executing.py", "grader/pipeline.py")
READY_SECONDS = 120


def main() -> None:
    rounds = repetitions(__doc__, 5)
    results = Results("throughput", [*MEASURED, "tests/bench/throughput", "constraints.txt"])
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        for number in range(rounds):
            for ahead in (0, AT_ONCE):
                results.once(lambda ahead=ahead: measured(Path(folder), ahead), round=number, ahead=ahead)
        results.once(lambda: regraded(Path(folder)), round=0, what="regrades")
    publish(results)


def measured(folder: Path, ahead: int) -> Row:
    """Seconds for all submissions, alone and graded, in alternating blocks."""
    submissions = [hand_in(folder / f"s{number}") for number in range(SUBMISSIONS)]
    alone = bare = graded = 0.0
    with place(folder, ahead) as (site, room):
        for start in range(0, SUBMISSIONS, BLOCK):
            block = submissions[start : start + BLOCK]
            alone += timed(papermill, block)
            bare += timed(our_script, block)
            graded += timed(lambda path: graded_one(site, path), block, room)
    shutil.rmtree(folder / "runs")
    seconds = {"alone": round(alone, 3), "bare": round(bare, 3), "graded": round(graded, 3)}
    return {**seconds, "ratio": round(graded / alone, 3), "sandbox": round(graded / bare, 3)}


def hand_in(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    shutil.copy(NOTEBOOK, folder)
    return folder


@contextmanager
def place(folder: Path, ahead: int) -> Iterator[tuple[Site, ContainerRoom]]:
    """A site and its room, in which as many sandboxes stand ready as are made ahead."""
    with ExitStack() as stack:
        engine = connect()
        stack.callback(engine.close)
        store = Store(folder / "runs")
        ledger = stack.enter_context(Ledger(store.active, "bench"))
        owned = stack.enter_context(Owned(engine, ledger))
        image = ensure_notebook(engine, CACHE, lambda message: None).id
        room = stack.enter_context(ContainerRoom(owned, image, ahead=ahead, warm=warm_text()))
        room.wait_ready(READY_SECONDS)
        yield Site(ROOT, CACHE, store, engine, None, lambda step, detail: None, room), room


def timed(
    work: Callable[[Path], None], submissions: list[Path], room: ContainerRoom | None = None, at_once: int = AT_ONCE
) -> float:
    """Seconds until all are done, `at_once` at a time, and the room is as it was."""
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        for done in [pool.submit(work, path) for path in submissions]:
            done.result()
    if room is not None and not room.wait_ready(READY_SECONDS):
        raise AssertionError("no sandboxes stand ready")
    return time.perf_counter() - began


def papermill(submission: Path) -> None:
    """papermill as its users call it."""
    command = [sys.executable, "-m", "papermill", "light.ipynb", "executed.ipynb", "--no-progress-bar"]
    executed(command, submission)


def our_script(submission: Path) -> None:
    """What runs inside a sandbox, outside."""
    asked = {"notebook": str(submission / "light.ipynb"), "executed": str(submission / "executed.ipynb"),
             "parameters": {"out_dir": str(submission)}, "cell_seconds": 60, "output_bytes": OUTPUT_BYTES}  # fmt: skip
    executed([sys.executable, "-I", SCRIPT, json.dumps(asked)], submission)


def executed(command: list[str], submission: Path) -> None:
    """Run what executes a submission, then take away what it wrote."""
    done = subprocess.run(command, cwd=submission, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    (submission / "executed.ipynb").unlink()
    (submission / "result.json").unlink()


def graded_one(site: Site, submission: Path) -> None:
    options = Options(seed=1, fresh=True)
    report = grade(load_lab(FOLDER / "lab"), Submission(source=str(submission)), site, options).report
    if report.score != 20:
        raise AssertionError(f"{report.run_class}: {report.score}")


def regraded(folder: Path) -> Row:
    """Seconds to judge a stored run again 100 times, without an engine."""
    submission = hand_in(folder / "again")
    lab = load_lab(FOLDER / "lab")
    with place(folder, 0) as (site, _):
        run = grade(lab, Submission(source=str(submission)), site, Options(seed=1, fresh=True)).run
    bare = Site(ROOT, CACHE, site.store, None, None, site.progress)
    began = time.perf_counter()
    scores = {regrade(run, lab, bare, "en").report.score for _ in range(REGRADES)}
    return {"seconds": round(time.perf_counter() - began, 3), "scores": sorted(scores), "count": REGRADES}


def publish(results: Results) -> None:
    rows = []
    for ahead, name in ((0, "made when the job comes"), (AT_ONCE, f"{AT_ONCE} made ahead")):
        found = results.where(ahead=ahead)
        each = [[row[side] / SUBMISSIONS for row in found] for side in ("alone", "bare", "graded")]
        ratios = [[row[side] for row in found] for side in ("ratio", "sandbox")]
        rows.append([name, *map(spread_of, [*each, *ratios]), len(found)])
    head = [
        "sandboxes",
        "papermill alone, s each",
        "our script alone",
        "graded",
        "ratio to papermill",
        "to our script",
        "rounds",
    ]
    again = results.where(what="regrades")[0]
    text = table(head, rows) + (
        f"\n\nMedian [lowest..highest]. {SUBMISSIONS} submissions, {AT_ONCE} at a time, in turns of {BLOCK}."
        f"\n\n{again['count']} stored runs judged again: {again['seconds']:.2f} s."
    )
    results.publish("Throughput", text)


if __name__ == "__main__":
    main()
