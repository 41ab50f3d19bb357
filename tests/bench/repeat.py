"""Does the same submission always get the same marks? The solution, graded afresh again and again.

Every grading draws its own hidden inputs; what must not vary is the list of items, outcomes and points.
"""

from __future__ import annotations

import os
import shutil
import time

from tests.bench.common import CACHE, Results, grader_run, repetitions, spread_of, table

PARTS = ("grader", "labs/05-docker", "solutions/05-docker", "docker")


def campaign(results: Results, count: int) -> None:
    """As many gradings as are missing."""
    runs = CACHE / "bench" / f"repeat-{os.getpid()}"
    for repetition in range(count):
        if results.where(repetition=repetition):
            continue
        began = time.monotonic()
        report = grader_run(runs)
        results.add(
            repetition=repetition, score=report["score"], run_class=report["class"], seed=report["seed"],
            verdicts=[[item["id"], item["outcome"], item["points"] / item["max_points"]] for item in report["items"]],
            causes={item["id"]: item["cause"] for item in report["items"] if item["cause"]},
            seconds=round(time.monotonic() - began, 2), load=round(os.getloadavg()[0], 2),
        )  # fmt: skip
    shutil.rmtree(runs, ignore_errors=True)


def report(results: Results) -> str:
    lists = [str(row["verdicts"]) for row in results.rows]
    usual = max(lists, key=lists.count)
    rows = [
        [lists.count(verdicts), example["score"], unusual(example["verdicts"], usual) or "-", example["causes"] or "-"]
        for verdicts in sorted(set(lists), key=lists.count, reverse=True)
        for example in [results.rows[lists.index(verdicts)]]
    ]
    header = ["gradings", "score", "differs from the usual list in", "causes"]
    return (
        f"{table(header, rows)}\n\nDistinct verdict lists: {len(set(lists))} in {len(lists)} gradings, "
        f"{spread_of([row['seconds'] for row in results.rows], 1)} s each."
    )


def unusual(verdicts: list[list[object]], usual: str) -> str:
    """The items that were judged otherwise than usual."""
    return ", ".join(
        f"{item} {outcome}" for item, outcome, share in verdicts if str([item, outcome, share]) not in usual
    )


def main() -> None:
    """Measure what is missing, then print the table."""
    count = repetitions(__doc__, 50)
    results = Results("repeat", PARTS)
    campaign(results, count)
    results.publish("The same submission, the same marks", report(results))


if __name__ == "__main__":
    main()
