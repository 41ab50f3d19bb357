"""Broken models, weights, JSON, notebooks and pickles: no reader raises or hangs, none takes what the format's own
library does not, and the evaluator answers whatever it is given.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter

from tests.bench.blocks import added, in_blocks, listed, trials
from tests.bench.common import ROOT, Results, Row, table

PARTS = (
    "grader/artifacts", "grader/evaluator", "grader/execution/reading.py", "tests/fuzz/examining.py",
    "tests/fuzz/files.py",
)  # fmt: skip
BLOCK = 500


def examined(first: int, count: int) -> Row:
    """One block of files, in a process that starts small."""
    with tempfile.TemporaryDirectory(prefix="fuzz-artifacts-") as folder:
        command = [sys.executable, "-m", "tests.fuzz.examining", str(first), str(count), folder]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    *rows, last = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        "kinds": Counter(row["kind"] for row in rows),
        "codes": Counter(f"{row['kind']}: {row['code']}" for row in rows),
        "whole_way": sum(row["real"] for row in rows), "slowest": max(row["seconds"] for row in rows),
        "biggest": last["mib"], "seconds": round(sum(row["seconds"] for row in rows), 1),
        "faults": Counter(fault.split(":")[0] for row in rows for fault in row["faults"]),
        "faulty": [[row["number"], row["kind"], row["way"], row["faults"]] for row in rows if row["faults"]],
    }  # fmt: skip


def report(rows: list[Row]) -> str:
    faults = added(rows, "faults")
    names = {
        "raised": "exceptions", "slow": "above 2 s", "accepted": "taken though the format's library says otherwise",
        "refused though whole": "whole files refused", "missed": "pickles missed",
        "child": "another answer in the child",
        "evaluator": "wrong answers of the evaluator", "shape": "results of another shape",
    }  # fmt: skip
    sums = [
        ["files", sum(row["count"] for row in rows)],
        ["of them the whole way", sum(row["whole_way"] for row in rows)],
        *([text, faults[name]] for name, text in names.items()),
        ["slowest reading, s", max(row["slowest"] for row in rows)],
        ["most memory of a block, MiB", round(max(row["biggest"] for row in rows))],
        ["time of reading, s", round(sum(row["seconds"] for row in rows))],
    ]
    kinds = table(["kind", "files"], added(rows, "kinds").most_common())
    endings = table(["taken as", "files"], sorted(added(rows, "codes").items()))
    faulty = "".join(f"\n- {entry}" for entry in listed(rows, "faulty"))
    return f"{table(['what', 'number'], sums)}\n\n{kinds}\n\n{endings}{faulty}"


def main() -> None:
    """Try what is missing, then print the tables."""
    count = trials(__doc__, 25_000)
    results = Results("fuzz_artifacts", PARTS)
    results.publish("Broken artefacts", report(in_blocks(results, count, BLOCK, examined)))


if __name__ == "__main__":
    main()
