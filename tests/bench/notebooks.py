"""What each notebook of the course costs (CPU-seconds of the kernel and all that it starts) and concludes (its myths).

Every notebook, in both languages, at two seeds, fast and full, solved; and the student's version, fast. Goals: 60
CPU-seconds fast, 300 full; no exception but those of stubs; the same verdicts at both seeds and in both languages.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from grader.notebooks.running import BUDGET
from grader.notebooks.source import LANGS
from grader.notebooks.versions import Version
from grader.records import Lang
from tests.bench.common import ROOT, Results, Row, code_digest, spread_of, table
from tests.notebooks.course import NAMES, SEEDS, run_in, source_path

PARTS = ("grader/notebooks", "workbench")
Way = tuple[Version, Lang, int, bool]


def ways(fast_only: bool) -> Iterator[Way]:
    """Version, language, seed, fast: the quick ones first."""
    for fast in (True, False)[: 1 if fast_only else 2]:
        for seed in SEEDS:
            for lang in LANGS:
                yield "solution", lang, seed, fast
                if fast:
                    yield "student", lang, seed, fast


def digest_of(name: str) -> str:
    """Of the notebook's source and of what its lab gives to students."""
    lab = ROOT / "labs" / name
    parts = [source_path(name), *(folder for part in ("data", "starter") if (folder := lab / part).is_dir())]
    return code_digest(parts)


def measure(name: str, way: Way) -> Row:
    """One run."""
    version, lang, seed, fast = way
    with TemporaryDirectory(prefix="bench-notebook-") as folder:
        ran = run_in(Path(folder) / "run", name, lang, version, seed, fast)
    slowest = max(ran.cells, key=lambda cell: cell.seconds or 0, default=None)
    return {
        "cpu": ran.cpu_seconds, "seconds": ran.seconds, "cells": len(ran.cells), "verdicts": dict(ran.verdicts),
        "problem": None if ran.problem is None else [ran.problem[0], ran.problem[1]],
        "slowest": [slowest.number, slowest.seconds, slowest.first] if slowest else None,
    }  # fmt: skip


def report(rows: dict[str, list[Row]]) -> str:
    lines, verdicts = [], []
    for name, found in rows.items():
        groups: dict[tuple[str, bool], list[Row]] = defaultdict(list)
        for row in found:
            groups[row["version"], row["fast"]].append(row)
        for (version, fast), group in groups.items():
            cpu = [row["cpu"] for row in group]
            sound = sum(row["problem"] is None for row in group)
            kept = "yes" if max(cpu) <= BUDGET[fast] else "no"
            slowest = max((row["slowest"] for row in group if row["slowest"]), key=lambda cell: cell[1] or 0)
            lines.append([name, version, "fast" if fast else "full", f"{sound}/{len(group)}", spread_of(cpu, 1),
                          f"{BUDGET[fast]:g}", kept, spread_of([row["seconds"] for row in group], 1),
                          f"{slowest[0]} ({slowest[1]:.1f} s)"])  # fmt: skip
        verdicts += _verdicts(name, found)
    header = ["notebook", "version", "mode", "sound", "CPU-seconds", "goal", "kept", "seconds", "slowest cell"]
    said = table(["notebook", "myth", "verdicts over runs", "one conclusion"], verdicts)
    return f"{table(header, lines)}\n\n{said}"


def _verdicts(name: str, found: list[Row]) -> Iterator[list[str]]:
    """For each myth, the verdicts that came out and whether it was always the same one."""
    solved = [row for row in found if row["version"] == "solution"]
    for myth in sorted({myth for row in solved for myth in row["verdicts"]}):
        came = [row["verdicts"].get(myth, "-") for row in solved]
        counts = ", ".join(f"{verdict} {came.count(verdict)}" for verdict in sorted(set(came)))
        yield [name, myth, counts, "yes" if len(set(came)) == 1 else "no"]


def main() -> None:
    """Run what was not run with the sources as they are, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, help="notebooks (default: all)")
    parser.add_argument("--fast", action="store_true", help="only the fast runs")
    asked = parser.parse_args()
    results = Results("notebooks", PARTS)
    rows: dict[str, list[Row]] = {}
    for name in asked.names:
        source = digest_of(name)
        for way in ways(asked.fast):
            version, lang, seed, fast = way
            key = {"notebook": name, "source": source, "version": version, "lang": lang, "seed": seed, "fast": fast}
            if not results.where(**key):
                results.add(**key, **measure(name, way))
        rows[name] = results.where(notebook=name, source=source)
    results.publish("What the notebooks cost and conclude", report(rows))


if __name__ == "__main__":
    main()
