"""The figures of the security page, from the rows that the campaigns stored: `python -m tests.bench.figures`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.common import HERE, ROOT

Row = dict[str, Any]
CORPUS = ROOT / "tests" / "corpus" / "results" / "corpus.jsonl"
BEGIN, END = "<!-- figures: written by tests/bench/figures.py -->", "<!-- end of the figures -->"
PAGES = {lang: ROOT / "docs" / "explanation" / f"security{ending}.md" for lang, ending in (("en", ""), ("fr", ".fr"))}


def rows_of(path: Path) -> list[Row]:
    """The rows of the newest code in a file."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [row for row in rows if row["digest"] == rows[-1]["digest"]]


def latest(rows: list[Row]) -> list[Row]:
    """Of the corpus: the last row of each submission and seed; a case that failed is run again."""
    return list({(row["case"], row["seed"], row["submission"]): row for row in rows}.values())


def corpus(hostile: bool) -> tuple[int, int, float]:
    rows = [row for row in latest(rows_of(CORPUS)) if (row["case"][1] == "H") == hostile]
    return len(rows), sum(not row["ok"] for row in rows), sum(row["seconds"] for row in rows)


def blocks(name: str, faults: Callable[[Row], int]) -> tuple[int, int, float]:
    rows = rows_of(HERE / "results" / f"{name}.jsonl")
    return sum(row["count"] for row in rows), sum(map(faults, rows)), sum(row["seconds"] for row in rows)


def events(name: str, kind: str) -> tuple[int, int, float]:
    rows = [row for row in rows_of(HERE / "results" / f"{name}.jsonl") if row["kind"] == kind]
    return len(rows), sum(bool(row["left"] or row["torn"] or not row["right"]) for row in rows), 0.0


def measured() -> Iterator[tuple[str, str, str, tuple[int, int, float]]]:
    """English name, French name, file of the table, and: how many, how many with any fault, seconds in all."""
    at = "tests/bench/results"
    yield "hostile submissions, five seeds each", "rendus hostiles, cinq graines chacun", str(CORPUS), corpus(True)
    yield (
        "odd but honest submissions, five seeds",
        "rendus honnêtes mais étranges, cinq graines",
        str(CORPUS),
        corpus(False),
    )
    for english, french, name in (
        ("hostile archives", "archives hostiles", "fuzz_archives"),
        ("generated Dockerfiles", "Dockerfiles engendrés", "fuzz_dockerfiles"),
        ("malformed answers", "réponses malformées", "fuzz_http"),
        ("hostile strings in seven views", "chaînes hostiles dans sept vues", "fuzz_reports"),
    ):
        yield english, french, f"{at}/{name}.md", blocks(name, lambda row: len(row["faulty"]))
    for english, french, name, kind in (
        ("graders killed in mid-run", "correcteurs tués en pleine exécution", "kills", "kill"),
        ("engines killed in mid-run", "moteurs tués en pleine exécution", "restarts", "restart"),
        ("disks that fill in mid-run", "disques qui se remplissent en pleine exécution", "disk_full", "point"),
    ):
        yield english, french, f"{at}/{name}.md", events(name, kind)


def section(lang: str) -> str:
    """The table in one language, and the two worst figures over the corpus."""
    rows = latest(rows_of(CORPUS))
    memory = max(row["peak_mib"] for row in rows)
    overrun = max(row["seconds"] - row["bound"] for row in rows)
    nearest = max(rows, key=lambda row: row["seconds"] / row["bound"])
    head = {"en": ("campaign", "trials", "with a fault", "time", "table"),
            "fr": ("campagne", "essais", "avec une faute", "durée", "tableau")}[lang]  # fmt: skip
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    for english, french, path, (count, faults, seconds) in measured():
        place = path.replace(f"{ROOT}/", "").replace(".jsonl", ".md")
        took = f"{seconds / 60:.0f} min" if seconds else "–"
        name = english if lang == "en" else french
        number = f"{count:,}" if lang == "en" else f"{count:,}".replace(",", " ")
        lines.append(f"{name} | {number} | {faults} | {took} | `{place}`")
    table = "\n".join(f"| {line} |" for line in lines)
    seconds, bound = f"{nearest['seconds']:.0f}", nearest["bound"]
    words = {
        "en": f"Over the whole corpus the grader took at most {memory:.0f} MiB of memory.\n"
        f"No verdict came after its bound: the nearest was {nearest['case']}, {seconds} of {bound} seconds.",
        "fr": f"Sur tout le corpus, le correcteur a pris au plus {memory:.0f} Mio de mémoire.\n"
        f"Aucun verdict n'est venu trop tard : le plus proche était {nearest['case']}, {seconds} secondes sur {bound}.",
    }[lang]
    assert overrun <= 0, "a verdict came late: the sentence has to say so"
    return f"{BEGIN}\n{table}\n\n{words}\n{END}"


def written(lang: str) -> str:
    """The page with its figures as they are now."""
    before, _, rest = PAGES[lang].read_text(encoding="utf-8").partition(BEGIN)
    return before + section(lang) + rest.partition(END)[2]


def main() -> None:
    """Write the figures into both pages."""
    for lang, path in PAGES.items():
        path.write_text(written(lang), encoding="utf-8")


if __name__ == "__main__":
    main()
