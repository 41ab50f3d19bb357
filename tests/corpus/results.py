"""The rows of the corpus, one a graded submission, kept under the digest of the code that they speak of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
Row = dict[str, Any]


def code_digest() -> str:
    """What a row depends on: the grader, and this folder without its results."""
    total = hashlib.sha256()
    for root in (ROOT / "grader", HERE):
        for path in sorted(root.rglob("*")):
            if path.is_file() and not {"__pycache__", "results"} & set(path.relative_to(root).parts[:-1]):
                total.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]


class Results:
    """Rows are appended as soon as they are known; those of older code stay in the file and do not count."""

    def __init__(self, path: Path = HERE / "results" / "corpus.jsonl") -> None:
        self.path = path
        self.digest = code_digest()
        self.rows = [row for row in self._stored() if row.get("digest") == self.digest]

    def _stored(self) -> Iterator[Row]:
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            with suppress(ValueError):  # a torn line: the case is simply run again
                yield json.loads(line)

    def add(self, row: Row) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps({"digest": self.digest, **row}) + "\n")
        self.rows.append(row)

    def done(self, case: str, seed: int) -> bool:
        """Whether the case was run to its end with this seed and came out well; what failed is tried again."""
        rows = [row for row in self.rows if (row["case"], row["seed"]) == (case, seed)]
        latest = {row["submission"]: row["ok"] for row in rows}
        return bool(rows) and len(latest) == rows[-1]["of"] and all(latest.values())


def table(rows: list[Row]) -> str:
    """One line a case: how often it held, what it came to, the worst figures."""
    header = (
        "case",
        "held",
        "class",
        "rule",
        "score",
        "seconds",
        "bound",
        "MiB",
        "clear s",
        "control s",
        "faults",
        "failed before",
    )
    lines = [header, ("---",) * len(header)]
    for case in sorted({row["case"] for row in rows}):
        latest = list({(row["seed"], row["submission"]): row for row in rows if row["case"] == case}.values())
        said = sorted({fault[:110] for row in latest for fault in row["faults"]})
        lines.append((
            case, f"{sum(row['ok'] for row in latest)}/{len(latest)}", joined(latest, "class"), joined(latest, "rule"),
            joined(latest, "score"), f"{max(row['seconds'] for row in latest):.1f}", str(latest[0]["bound"]),
            f"{max(row['peak_mib'] for row in latest):.0f}",
            f"{max(max(row['clear_seconds'].values(), default=99) for row in latest):.1f}",
            f"{max(max(row['control'].values()) for row in latest):.1f}", "; ".join(said),
            str(sum(row["case"] == case and not row["ok"] for row in rows) - sum(not row["ok"] for row in latest)),
        ))  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def joined(rows: list[Row], key: str) -> str:
    return ", ".join(sorted({"-" if row[key] is None else str(row[key]) for row in rows}))
