"""An engine that is killed in mid-run and started again: status infra, exit 4, no mark; the next run is right.

It is an engine of our own, beside the machine's. Nothing of the broken run may be left on it after the next one.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from grader.records import Report
from tests.bench.common import Results, Row, repetitions, table
from tests.bench.kills import is_right, left_for_good, snapshot
from tests.bench.second import Second, second_engine

if TYPE_CHECKING:
    from docker import APIClient

PARTS = ("grader", "labs/05-docker", "solutions/05-docker", "docker", "tests/bench/second.py", "tests/bench/kills.py")
SEED = 30
PATIENCE = 300


def finished(second: Second, runs: Path, cold: bool = False) -> Row:
    """The report of a run that nobody disturbs."""
    done = subprocess.run(**second.command(runs, cold), capture_output=True, check=False, timeout=PATIENCE)
    if done.returncode not in (0, 1):
        return {"score": None, "max_score": 0, "said": done.stderr.decode()[-300:]}
    return dict(json.loads(done.stdout))


def torn(runs: Path) -> list[str]:
    """Reports that stand there and cannot be read."""
    bad = []
    for path in runs.glob("*/*/report.json"):
        try:
            Report.model_validate_json(path.read_bytes())
        except ValidationError:
            bad.append(path.parent.name)
    return bad


def on_disk(runs: Path) -> list[str]:
    """What dead runs have left below the runs."""
    return sorted(f"{path.parent.name}/{path.name}" for path in (*runs.glob("active/*"), *runs.glob("work/*")))


def restart(second: Second, api: APIClient, repetition: int, cold: bool, course: float) -> Row:
    """One run whose engine is killed under it, then one in peace."""
    chance = random.Random(SEED + repetition)
    instant, pause = chance.uniform(0.05, 0.95) * course, chance.uniform(0, 2)
    runs = second.folder / "runs"
    before = snapshot(api)
    process = subprocess.Popen(**second.command(runs, cold), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with suppress(subprocess.TimeoutExpired):
        process.wait(instant)
    ended_before = process.returncode is not None
    second.kill()
    killed = time.monotonic()
    time.sleep(pause)
    second.start()
    out, err = process.communicate(timeout=PATIENCE)
    after = time.monotonic() - killed
    report = json.loads(out) if out.startswith(b"{") else {}
    following = finished(second, runs)
    return {
        "instant": round(instant, 2), "ended_before": ended_before, "exit_code": process.returncode,
        "status": report.get("status"), "score": report.get("score"), "said": err.decode()[-200:].strip(),
        "traceback": b"Traceback" in out + err, "seconds_after": round(after, 1), "left": left_for_good(api, before),
        "left_on_disk": on_disk(runs), "torn": torn(runs), "next_score": following["score"],
        "right": is_right(following),
    }  # fmt: skip


def course(second: Second, cold: bool) -> Row:
    """How long a run takes whose engine lives."""
    began = time.monotonic()
    if not is_right(report := finished(second, second.folder / "runs", cold)):
        raise SystemExit(f"not even an undisturbed run is right: {report}")
    return {"seconds": round(time.monotonic() - began, 2)}


def campaign(results: Results, count: int) -> None:
    wanted = [(number, number % 2 == 1) for number in range(count)]
    if all(results.where(kind="restart", repetition=number) for number, _ in wanted):
        return
    with second_engine() as second:
        second.load_ours()
        finished(second, second.folder / "runs")  # what is cached from now on is there before the first comparison
        courses = {
            cold: results.once(partial(course, second, cold), kind="course", cold=cold) for cold in (False, True)
        }
        api = second.api()
        for number, cold in wanted:
            measure = partial(restart, second, api, number, cold, courses[cold]["seconds"])
            results.once(measure, kind="restart", repetition=number, cold=cold)
        api.close()


def is_fine(row: Row) -> bool:
    """Ours to blame and no mark, unless the run was over before; nothing torn or left; the next one right."""
    ended = row["exit_code"] == 0 if row["ended_before"] else (row["exit_code"], row["score"]) == (4, None)
    bad = row["traceback"] or row["left"] or row["left_on_disk"] or row["torn"]
    return bool(ended and row["right"] and not bad)


def report(results: Results) -> str:
    rows = sorted(results.where(kind="restart"), key=lambda row: row["instant"])
    shown = [
        [row["instant"], "cold" if row["cold"] else "warm", row["exit_code"], row["status"] or row["said"] or "-",
         row["score"] if row["score"] is not None else "none", row["seconds_after"], row["left"] or "-",
         row["left_on_disk"] or "-", row["torn"] or "-", row["next_score"], "yes" if is_fine(row) else "NO"]
        for row in rows
    ]  # fmt: skip
    header = ["killed after s", "build", "exit", "status", "score", "ended s later", "left on the engine",
              "left on the disk", "torn", "next score", "fine"]  # fmt: skip
    return f"{sum(map(is_fine, rows))} of {len(rows)} restarts are fine.\n\n{table(header, shown)}"


def main() -> None:
    """Measure what is missing, then print the table."""
    count = repetitions(__doc__, 10)
    results = Results("restarts", PARTS)
    campaign(results, count)
    results.publish("Engine killed and started again in mid-run", report(results))


if __name__ == "__main__":
    main()
