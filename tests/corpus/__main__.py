"""Run cases of the corpus: `python -m tests.corpus --cases PH01,PV03 --seeds 5`. What held is not run again."""

from __future__ import annotations

import argparse
import sys

from tests.corpus.gen import CASES
from tests.corpus.results import Results, table
from tests.corpus.runner import run_case, session


def main() -> int:
    """0 when every row held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", default=",".join(CASES), help="ids or groups, joined by commas (default: all)")
    parser.add_argument("--seeds", type=int, default=1, help="how many runs of each case")
    parser.add_argument("--again", action="store_true", help="run what has been run as well")
    asked = parser.parse_args()
    names = asked.cases.split(",")
    chosen = [case for case, group in CASES.items() if case in names or group in names]
    results = Results()
    with session() as found:
        for seed in range(1, asked.seeds + 1):
            for case in chosen:
                if asked.again or not results.done(case, seed):
                    for row in run_case(found, case, seed):
                        results.add(row)
                        print(case, seed, row["class"], row["score"], f"{row['seconds']} s", *row["faults"], flush=True)
    rows = [row for row in results.rows if row["case"] in chosen]
    text = table(rows)
    print(f"\n{text}")
    results.path.with_suffix(".md").write_text(f"# Corpus\n\nCode `{results.digest}`.\n\n{text}\n")
    latest = {(row["case"], row["seed"], row["submission"]): row["ok"] for row in rows}
    return 0 if latest and all(latest.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
