"""A disk that fills up at different steps of a run: exit 4 with a sentence, no mark, nothing torn, nothing left.

The runs folder lies on a small tmpfs. Its sizes are taken from the course of a run with room enough: just below the
marks that its use of the disk reaches one after the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.common import Results, Row, repetitions, table
from tests.bench.kills import is_right, left_for_good, snapshot
from tests.bench.restarts import PATIENCE, finished, torn
from tests.bench.second import Second, second_engine

if TYPE_CHECKING:
    from docker import APIClient

PARTS = (
    "grader", "labs/05-docker", "solutions/05-docker", "docker", "tests/bench/second.py", "tests/bench/kills.py",
    "tests/bench/restarts.py",
)  # fmt: skip
ROOMY_KIB = 512 * 1024
PAGE_KIB = 4


@contextmanager
def disk(second: Second, kibibytes: int) -> Iterator[Path]:
    """A folder with so much room."""
    folder = second.folder / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def marks(second: Second) -> Row:
    """The KiB in use at each new height of a run's use of its disk."""
    heights: list[int] = []
    with disk(second, ROOMY_KIB) as folder:
        process = subprocess.Popen(**second.command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            facts = os.statvfs(folder)
            used = (facts.f_blocks - facts.f_bfree) * facts.f_frsize // 1024
            if used > (heights[-1] if heights else 0):
                heights.append(used)
            time.sleep(0.002)
    return {"heights": heights, "exit_code": process.returncode}


def sizes(heights: list[int], count: int) -> list[int]:
    """Sizes spread over the steps, each too small for the next height."""
    chosen = [heights[number * len(heights) // count] for number in range(count)]
    return [max(PAGE_KIB * 2, height - PAGE_KIB) for height in chosen]


def fill(second: Second, api: APIClient, kibibytes: int) -> Row:
    """One run on a disk that is too small, then one with room."""
    before = snapshot(api)
    with disk(second, kibibytes) as folder:
        done = subprocess.run(**second.command(folder), capture_output=True, timeout=PATIENCE, check=False)
        reports = [json.loads(path.read_bytes()) for path in folder.glob("*/*/report.json") if not torn(folder)]
        written = sorted({path.name for path in folder.glob("[0-9]*/*/*") if path.is_file()})
        broken, left_work = torn(folder), sorted(path.name for path in folder.glob("work/*"))
    rejection = json.loads(done.stdout)["rejection"] if done.stdout.startswith(b"{") else None
    said = rejection["message"] if rejection else done.stderr.decode(errors="replace").strip()
    following = finished(second, second.folder / "runs")
    return {
        "exit_code": done.returncode, "said": said[-200:], "traceback": b"Traceback" in done.stdout + done.stderr,
        "scores": [row["score"] for row in reports if row["score"] is not None], "written": written, "torn": broken,
        "left": left_for_good(api, before), "left_on_disk": left_work, "next_score": following["score"],
        "right": is_right(following),
    }  # fmt: skip


def campaign(results: Results, count: int) -> None:
    if len(results.where(kind="point")) >= count:
        return
    with second_engine() as second:
        second.load_ours()
        finished(second, second.folder / "runs")
        heights = results.once(partial(marks, second), kind="marks")["heights"]
        api = second.api()
        for number, kibibytes in enumerate(sizes(heights, count)):
            results.once(partial(fill, second, api, kibibytes), kind="point", number=number, of=count, kib=kibibytes)
        api.close()


def is_fine(row: Row) -> bool:
    bad = row["traceback"] or row["scores"] or row["torn"] or row["left"] or row["left_on_disk"]
    return bool(row["exit_code"] == 4 and row["said"] and row["right"] and not bad)


def report(results: Results) -> str:
    rows = sorted(results.where(kind="point"), key=lambda row: row["kib"])
    shown = [
        [row["kib"], row["exit_code"], row["said"], ", ".join(row["written"]) or "-", row["scores"] or "none",
         row["torn"] or "-", row["left"] or "-", row["left_on_disk"] or "-", row["next_score"],
         "yes" if is_fine(row) else "NO"]
        for row in rows
    ]  # fmt: skip
    header = ["room, KiB", "exit", "what was said", "written by then", "scores", "torn", "left on the engine",
              "left on the disk", "next score", "fine"]  # fmt: skip
    return f"{sum(map(is_fine, rows))} of {len(rows)} points are fine.\n\n{table(header, shown)}"


def main() -> None:
    """Measure what is missing, then print the table."""
    count = repetitions(__doc__, 10)
    results = Results("disk_full", PARTS)
    campaign(results, count)
    results.publish("Disk full", report(results))


if __name__ == "__main__":
    main()
