"""Hostile strings through every view of a report: nothing acts on a terminal, in a page, in XML or in Markdown."""

from __future__ import annotations

from collections import Counter

from grader.render import FORMATS
from tests.bench.blocks import added, in_blocks, listed, trials
from tests.bench.common import Results, Row, table
from tests.fuzz.views import trial

PARTS = ("grader/render", "grader/words", "tests/fuzz/strings.py", "tests/fuzz/views.py", "tests/render/factory.py")
BLOCK = 250
CHECKED = {
    "text": "control bytes or foreign colours",
    "html": "foreign nodes, attributes or values",
    "json": "not plain JSON",
    "junit": "does not parse, or foreign elements",
    "markdown": "foreign blocks, links or markup",
    "words": "control bytes in the sentence of an error",
    "progress": "control bytes in what a run shows",
}


def read(first: int, count: int) -> Row:
    """One block of strings."""
    rows = [trial(number) for number in range(first, first + count)]
    return {
        "kinds": Counter(row["kind"] for row in rows), "seconds": round(sum(row["seconds"] for row in rows), 1),
        "faults": Counter(fault.split(":")[0] for row in rows for fault in row["faults"]),
        "slowest": max(row["seconds"] for row in rows),
        "faulty": [[row["number"], row["kind"], row["faults"][:3]] for row in rows if row["faults"]],
    }  # fmt: skip


def report(rows: list[Row]) -> str:
    faults = added(rows, "faults")
    views = [*FORMATS, "words", "progress"]
    sums = [[name, CHECKED.get(name, "control bytes"), faults[name]] for name in views]
    kinds = table(["kind", "strings"], added(rows, "kinds").most_common())
    faulty = "".join(f"\n- {entry}" for entry in listed(rows, "faulty"))
    count, seconds = sum(row["count"] for row in rows), round(sum(row["seconds"] for row in rows))
    slowest = max(row["slowest"] for row in rows)
    return (
        f"{count} strings in {len(views)} views, {seconds} s in all, the slowest {slowest} s.\n\n"
        f"{table(['view', 'fault', 'times'], sums)}\n\n{kinds}{faulty}"
    )


def main() -> None:
    """Try what is missing, then print the tables."""
    count = trials(__doc__, 5000)
    results = Results("fuzz_reports", PARTS)
    results.publish("Hostile strings in reports", report(in_blocks(results, count, BLOCK, read)))


if __name__ == "__main__":
    main()
