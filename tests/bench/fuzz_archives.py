"""Hostile archives through staging: nothing written outside, nothing uncaught, 2 s and 256 MiB each.

Every fiftieth goes the whole way, with the reader in its child process; the others have the reader, with the same
limits, in the process that stages.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter

from tests.bench.blocks import added, in_blocks, listed, trials
from tests.bench.common import ROOT, Results, Row, table

PARTS = ("grader/archives", "grader/staging.py", "tests/fuzz/archives.py", "tests/fuzz/unpacking.py")
BLOCK = 250


def unpack(first: int, count: int) -> Row:
    """One block of archives, in a process that starts small."""
    with tempfile.TemporaryDirectory(prefix="fuzz-archives-") as folder:
        command = [sys.executable, "-m", "tests.fuzz.unpacking", str(first), str(count), folder]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        "kinds": Counter(row["kind"] for row in rows), "codes": Counter(row["code"].split(":")[0] for row in rows),
        "whole_way": sum(row["real"] for row in rows), "slowest": max(row["cpu"] for row in rows),
        "biggest": max(row["mib"] for row in rows), "seconds": round(sum(row["seconds"] for row in rows), 1),
        "escaped": sum(fault.startswith("escaped") for row in rows for fault in row["faults"]),
        "uncaught": sum(fault.startswith("uncaught") for row in rows for fault in row["faults"]),
        "faulty": [[row["number"], row["kind"], row["faults"]] for row in rows if row["faults"]],
    }  # fmt: skip


def report(rows: list[Row]) -> str:
    sums = [
        ["archives", sum(row["count"] for row in rows)],
        ["of them the whole way", sum(row["whole_way"] for row in rows)],
        ["writes outside", sum(row["escaped"] for row in rows)],
        ["uncaught errors", sum(row["uncaught"] for row in rows)],
        ["with any fault", sum(len(row["faulty"]) for row in rows)],
        ["slowest, CPU s", max(row["slowest"] for row in rows)],
        ["most memory, MiB", max(row["biggest"] for row in rows)],
        ["time of all, s", round(sum(row["seconds"] for row in rows))],
    ]
    endings = table(["ended as", "archives"], added(rows, "codes").most_common())
    kinds = table(["kind", "archives"], added(rows, "kinds").most_common())
    faulty = "".join(f"\n- {entry}" for entry in listed(rows, "faulty"))
    return f"{table(['what', 'number'], sums)}\n\n{kinds}\n\n{endings}{faulty}"


def main() -> None:
    """Try what is missing, then print the tables."""
    count = trials(__doc__, 5000)
    results = Results("fuzz_archives", PARTS)
    results.publish("Hostile archives", report(in_blocks(results, count, BLOCK, unpack)))


if __name__ == "__main__":
    main()
