"""Malformed answers from a real server to the driver: no hang, no exception, nothing taken that is not strict.

What the driver accepts is compared with a second reading of the same bytes (tests/fuzz/oracle.py).
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing

from tests.bench.blocks import added, in_blocks, listed, trials
from tests.bench.common import Results, Row, table
from tests.fuzz.asking import SECONDS, Bench

PARTS = ("grader/driver", "tests/fuzz/answers.py", "tests/fuzz/asking.py", "tests/fuzz/oracle.py")
BLOCK = 250
FAULTS = ("hung", "raised", "accepted", "refused", "shape")


def converse(first: int, count: int) -> Row:
    """One block of answers."""
    with closing(Bench()) as bench:
        rows = [bench.trial(number) for number in range(first, first + count)]
    faults = Counter(fault.split(":")[0] for row in rows for fault in row["faults"])
    return {
        "kinds": Counter(row["kind"] for row in rows), "ways": Counter(row["way"] for row in rows), "faults": faults,
        "slowest": max(row["seconds"] for row in rows), "seconds": round(sum(row["seconds"] for row in rows), 1),
        "faulty": [[row["number"], row["kind"], row["way"], row["faults"]] for row in rows if row["faults"]],
    }  # fmt: skip


def report(rows: list[Row]) -> str:
    faults = added(rows, "faults")
    names = {
        "hung": "hangs past the deadline", "raised": "exceptions", "accepted": "accepted though not strict",
        "refused": "refused though whole", "shape": "results of another shape",
    }  # fmt: skip
    sums = [["answers", sum(row["count"] for row in rows)], *([names[name], faults[name]] for name in FAULTS)]
    sums.append(["time of all, s", round(sum(row["seconds"] for row in rows))])
    kinds = table(["kind", "answers"], added(rows, "kinds").most_common())
    ways = table(["asked by", "answers"], added(rows, "ways").most_common())
    faulty = "".join(f"\n- {entry}" for entry in listed(rows, "faulty"))
    return f"Deadline of a request {SECONDS} s.\n\n{table(['what', 'number'], sums)}\n\n{kinds}\n\n{ways}{faulty}"


def main() -> None:
    """Try what is missing, then print the tables."""
    count = trials(__doc__, 5000)
    results = Results("fuzz_http", PARTS)
    results.publish("Malformed answers", report(in_blocks(results, count, BLOCK, converse)))


if __name__ == "__main__":
    main()
