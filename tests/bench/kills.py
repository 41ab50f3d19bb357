"""What a killed grader leaves behind: kill -9 at random instants of a run, then an ordinary run, then a look round.

After the next run nothing of the killed one may be left on the engine or the disk, every report.json must be whole, and
the next run must be right. The comparison takes in everything on the engine, so nothing else may use it meanwhile.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from grader.records import Report
from tests.bench.common import CACHE, Results, Row, grader_command, grader_run, repetitions, table

if TYPE_CHECKING:
    from docker import APIClient

PARTS = ("grader", "labs/05-docker", "solutions/05-docker", "docker")
SEED = 20
RUNS = CACHE / "bench" / "kills"
SETTLE_SECONDS = 20.0  # what others on this engine are just removing is no leftover


def snapshot(api: APIClient) -> dict[str, set[str]]:
    """All containers, volumes and images of the engine, and the grader's temporary folders."""
    folders = [*RUNS.glob("active/*"), *RUNS.glob("work/*"), *Path(tempfile.gettempdir()).glob("grader-*")]
    return {
        "container": {f"{row['Id'][:12]} {row['Names'][0]} {row['Image'][:24]}" for row in api.containers(all=True)},
        "volume": {str(row["Name"]) for row in api.volumes()["Volumes"] or ()},
        "image": {str(row["Id"]) for row in api.images(all=True)} - cached(api),
        "tag": {tag for tag in tags(api) if not tag.startswith("grader/layers:")},
        "folder": {str(folder) for folder in folders},
    }


def cached(api: APIClient) -> set[str]:
    """Ids of the images in the recorded layer cache, what they were built on included."""
    return {str(entry["Id"]) for tag in tags(api) if tag.startswith("grader/layers:") for entry in api.history(tag)}


def tags(api: APIClient) -> list[str]:
    return [tag for row in api.images() for tag in row["RepoTags"] or () if tag != "<none>:<none>"]


def left(before: dict[str, set[str]], after: dict[str, set[str]]) -> dict[str, list[str]]:
    found = {kind: sorted(after[kind] - before[kind]) for kind in before}
    return {kind: names for kind, names in found.items() if names}


def left_for_good(api: APIClient, before: dict[str, set[str]]) -> dict[str, list[str]]:
    """What is there that was not there before, and stays."""
    found = left(before, snapshot(api))
    deadline = time.monotonic() + SETTLE_SECONDS
    while found and time.monotonic() < deadline:
        time.sleep(0.5)
        after = left(before, snapshot(api))
        found = {kind: [name for name in names if name in after.get(kind, ())] for kind, names in found.items()}
        found = {kind: names for kind, names in found.items() if names}
    return found


def torn() -> list[str]:
    """Reports that stand there and cannot be read."""
    bad = []
    for path in RUNS.glob("*/*/report.json"):
        try:
            Report.model_validate_json(path.read_bytes())
        except ValidationError:
            bad.append(str(path))
    return bad


def killed_at(instant: float, cold: bool) -> int:
    """Kill one grader `instant` seconds after its start; its exit code."""
    process = subprocess.Popen(**grader_command(RUNS, cold), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return process.wait(instant)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def kill(api: APIClient, repetition: int, cold: bool, course: float) -> Row:
    """One grader killed, the next one left in peace."""
    instant = random.Random(SEED + repetition).uniform(0, course)
    before = snapshot(api)
    code = killed_at(instant, cold)
    orphans = {kind: len(names) for kind, names in left(before, snapshot(api)).items()}
    report = grader_run(RUNS)
    return {
        "instant": round(instant, 2), "exit_code": code, "orphans": orphans, "left": left_for_good(api, before),
        "torn": torn(), "score": report["score"], "right": is_right(report),
        "lost": [[item["id"], item["cause"], item["facts"]] for item in report["items"] if item["outcome"] != "passed"],
    }  # fmt: skip


def pair(api: APIClient) -> Row:
    """Two graders at once."""
    before = snapshot(api)
    both = [subprocess.Popen(**grader_command(RUNS), stdout=subprocess.PIPE) for _ in range(2)]
    reports = [Report.model_validate_json(process.communicate()[0]).model_dump() for process in both]
    return {"left": left_for_good(api, before), "torn": torn(), "right": all(map(is_right, reports))}


def is_right(report: Row) -> bool:
    return bool(report["score"] == report["max_score"])


def campaign(results: Results, count: int) -> None:
    """Kills over the whole course of a run, then some pairs."""
    from docker import APIClient
    from docker.utils import kwargs_from_env

    shutil.rmtree(RUNS, ignore_errors=True)
    api = APIClient(**kwargs_from_env())
    grader_run(RUNS)  # what is cached from now on is there before the first comparison
    courses = [results.once(partial(course, cold), kind="course", cold=cold)["seconds"] for cold in (False, True)]
    for repetition in range(count):
        cold = repetition % 2 == 1
        measure = partial(kill, api, repetition, cold, courses[cold])
        results.once(measure, kind="kill", repetition=repetition, cold=cold)
    for repetition in range(max(1, count // 4)):
        results.once(partial(pair, api), kind="pair", repetition=repetition)
    api.close()
    shutil.rmtree(RUNS)


def course(cold: bool) -> Row:
    """How long a run takes that nobody kills; a cold one builds every layer anew."""
    began = time.monotonic()
    grader_run(RUNS, cold)
    return {"seconds": round(time.monotonic() - began, 2), "load": round(os.getloadavg()[0], 2)}


def report(results: Results) -> str:
    kills = sorted(results.where(kind="kill"), key=lambda row: row["instant"])
    rows = [
        [row["instant"], "cold" if row["cold"] else "warm", row["exit_code"], row["orphans"] or "-", row["left"] or "-",
         row["torn"] or "-", row["score"]]
        for row in kills
    ]  # fmt: skip
    header = ["killed after s", "build", "exit code", "there then", "left after the next run", "torn", "next score"]
    sums = [
        [name, len(found), sum(bool(row["left"]) for row in found), sum(bool(row["torn"]) for row in found),
         sum(not row["right"] for row in found)]
        for name, found in (("kills", kills), ("two at once", results.where(kind="pair")))
    ]  # fmt: skip
    warm, cold = (results.where(kind="course", cold=cold)[0]["seconds"] for cold in (False, True))
    return (
        f"{table(['what', 'times', 'left something', 'torn', 'next or both not right'], sums)}\n\n"
        f"A run takes {warm} s, {cold} s when every layer is built anew.\n\n{table(header, rows)}"
    )


def main() -> None:
    """Measure what is missing, then print the tables."""
    count = repetitions(__doc__, 100)
    results = Results("kills", PARTS)
    campaign(results, count)
    results.publish("Killed graders", report(results))


if __name__ == "__main__":
    main()
