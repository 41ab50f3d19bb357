"""What the grader adds to the engine's own time, how much memory it takes, and how soon its help is there.

1. A warm `grade()` of the solution against a replay of exactly the engine calls and waits that one such run made; the
   measuring phases are left out on both sides. Goal: 1.15.
2. The peak resident memory of a `grader run` process. Goal: 300 MiB.
3. `grader --help` against `python -c pass`. Goal: 10.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from grader.engines.base import Engine
from grader.engines.docker import connect
from grader.lab import load_lab
from grader.pipeline import Options, Site, grade
from grader.probes.rig import Kit
from grader.records import Report, Submission
from grader.store import Store
from tests.bench.common import (
    CACHE,
    LAB,
    ROOT,
    SOLUTION,
    Results,
    grader_command,
    our_images,
    repetitions,
    spread_of,
    table,
)
from tests.bench.seam import Proxy, Replay, Tape

PARTS = ("grader", "labs/05-docker", "solutions/05-docker", "docker", "tests/bench/seam.py")
GRADER = str(Path(sys.executable).with_name("grader"))
HELP_TIMES = 20
GOALS = {"overhead": 1.15, "memory_mib": 300.0, "help": 10.0}
# A small process in between: the peak of a forked child begins with its parent's.
PEAK = """\
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


@contextmanager
def place(engine: Engine) -> Iterator[tuple[Kit, Store, Path]]:
    """Our images, an empty store and a folder for what the tape keeps."""
    base, yardstick, driver = our_images(engine)
    (CACHE / "bench").mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=CACHE / "bench") as folder:
        Path(folder).chmod(0o755)
        yield Kit(base.id, driver.id, yardstick.id), Store(Path(folder) / "runs"), Path(folder)


def graded(engine: Engine, kit: Kit, store: Store, tape: Tape, seed: int) -> tuple[float, Report]:
    """One fresh grading of the solution with the seam on tape: seconds, measuring included."""
    site = Site(ROOT, CACHE, store, Proxy(tape, "engine", engine), kit, lambda step, detail: None)
    with tape.waits():
        start = time.perf_counter()
        found = grade(load_lab(LAB), Submission(source=str(SOLUTION)), site, Options(seed, fresh=True))
        seconds = time.perf_counter() - start
    if found.report.score != found.report.max_score:
        raise SystemExit(f"the solution does not get full points: {found.run.path}/report.json")
    return seconds, found.report


def overhead(results: Results, count: int) -> None:
    """Gradings and replays in turn; one grading before them, to warm up and for the tape."""
    if len(results.where(kind="replay")) >= count:
        return
    engine = connect()
    with place(engine) as (kit, store, folder):
        graded(engine, kit, store, Tape(), 0)
        (folder / "kept").mkdir()
        recorded = Tape(folder / "kept")
        graded(engine, kit, store, recorded, 0)
        print(f"{len(recorded.calls)} calls on tape")
        for repetition in range(count):
            if not results.where(kind="replay", repetition=repetition):
                tape = Tape()
                seconds, _ = graded(engine, kit, store, tape, 0)
                replay = Replay(recorded, engine)
                bare = replay.run()
                results.add(kind="grade", repetition=repetition, seconds=round(seconds - tape.measuring, 3),
                            measuring=round(tape.measuring, 3), calls=len(tape.calls))  # fmt: skip
                results.add(kind="replay", repetition=repetition, seconds=round(bare, 3),
                            measuring=round(replay.measuring, 3), calls=len(recorded.calls))  # fmt: skip
    engine.close()


def memory(results: Results, count: int) -> None:
    """The peak of a whole `grader run`."""
    for repetition in range(count):
        if not results.where(kind="memory", repetition=repetition):
            runs = CACHE / "bench" / f"memory-{os.getpid()}"
            command = grader_command(runs)
            command["args"] = [sys.executable, "-c", PEAK, *command["args"]]
            found = subprocess.run(**command, text=True, stdout=subprocess.PIPE, check=True)
            results.add(kind="memory", repetition=repetition, mib=round(int(found.stdout) / 1024, 1))
            shutil.rmtree(runs)


def helped(results: Results) -> None:
    """Both commands in turn."""
    commands = {"help": [GRADER, "--help"], "pass": [sys.executable, "-c", "pass"]}
    for repetition in range(HELP_TIMES):
        for kind, command in commands.items():
            if not results.where(kind=kind, repetition=repetition):
                start = time.perf_counter()
                subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
                results.add(kind=kind, repetition=repetition, seconds=round(time.perf_counter() - start, 4))


def report(results: Results) -> str:
    times = {kind: [row["seconds"] for row in results.where(kind=kind)] for kind in ("grade", "replay", "help", "pass")}
    peaks = [row["mib"] for row in results.where(kind="memory")]
    found = {
        "overhead": median(times["grade"]) / median(times["replay"]),
        "memory_mib": max(peaks),
        "help": median(times["help"]) / median(times["pass"]),
    }
    said = {
        "overhead": ("grading over its own engine calls", f"{spread_of(times['grade'])} s over "
                     f"{spread_of(times['replay'])} s, {len(times['replay'])} in turn"),
        "memory_mib": ("peak memory of `grader run`, MiB", spread_of(peaks, 0)),
        "help": ("`grader --help` over `python -c pass`", f"{spread_of(times['help'], 3)} s over "
                 f"{spread_of(times['pass'], 3)} s, {HELP_TIMES} in turn"),
    }  # fmt: skip
    rows = [
        [said[name][0], f"{found[name]:.2f}", f"{goal:g}", "yes" if found[name] <= goal else "no", said[name][1]]
        for name, goal in GOALS.items()
    ]
    return table(["promise", "measured", "goal", "kept", "median [range]"], rows)


def main() -> None:
    """Measure what is missing, then print the table."""
    count = repetitions(__doc__, 5)
    results = Results("overhead", PARTS)
    helped(results)
    memory(results, count)
    overhead(results, count)
    results.publish("What the grader adds", report(results))


if __name__ == "__main__":
    main()
