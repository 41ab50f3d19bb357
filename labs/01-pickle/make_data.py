"""Make the data of lab 01 anew: forms to sort (generated, and they say so), the reference pipeline, practice pickles.

`python labs/01-pickle/make_data.py` writes data/forms.csv, data/practice-* and private/reference.json.
"""

from __future__ import annotations

import csv
import json
import runpy
from pathlib import Path
from random import Random
from types import SimpleNamespace

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent
COLUMNS = ("pages", "grams", "boxes", "seconds", "ink_permille", "stamps")
# Three desks: registry, building permits, nursery. The units differ by a factor of a thousand, as real ones do.
CENTRES = (
    (2.0, 12.0, 30.0, 240.0, 55.0, 1.0),
    (9.0, 160.0, 80.0, 1500.0, 30.0, 2.2),
    (4.0, 30.0, 55.0, 700.0, 80.0, 0.4),
)
SPREADS = ((0.7, 6.0, 9.0, 110.0, 12.0, 0.5), (2.5, 60.0, 16.0, 420.0, 9.0, 0.7), (1.0, 12.0, 11.0, 210.0, 15.0, 0.4))


def main() -> None:
    chance = np.random.default_rng(2026)
    desk = chance.integers(0, 3, 900)
    rows = np.array(CENTRES)[desk] + chance.normal(size=(900, 6)) * np.array(SPREADS)[desk]
    rows = rows.round().clip(0).astype(int)  # counts, grams, seconds: whole numbers
    (HERE / "data").mkdir(exist_ok=True)
    with (HERE / "data" / "forms.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow((*COLUMNS, "desk"))
        table.writerows([*row, label] for row, label in zip(rows.tolist(), desk.tolist(), strict=True))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(rows, desk)
    scaler, model = pipeline[0], pipeline[1]
    reference = {
        "centres": CENTRES, "spreads": SPREADS, "mean": scaler.mean_.tolist(), "scale": scaler.scale_.tolist(),
        "coefficients": model.coef_.tolist(), "intercepts": model.intercept_.tolist(),
    }  # fmt: skip
    (HERE / "private" / "reference.json").write_text(json.dumps(reference, indent=1) + "\n", encoding="utf-8")
    print("accuracy on its own rows:", pipeline.score(rows, desk))
    practice()


def practice() -> None:
    """The five files on which a scanner is tried in the open."""
    kit = SimpleNamespace(**runpy.run_path(str(HERE / "private" / "pickles.py")))
    chance = Random("practice")
    made = {
        "direct.pkl": kit.direct(chance, kit.filled(kit.CALLS[0], "canary-direct.txt")),
        "stack.pkl": kit.stack_global(chance, kit.filled(kit.CALLS[1], "canary-stack.txt")),
        "archive.pt": kit.in_archive(chance, kit.filled(kit.CALLS[2], "canary-archive.txt")),
        "plain.pkl": kit.plain(chance),
        "weights.pt": kit.state_dict(chance),
    }
    for name, data in made.items():
        (HERE / "data" / f"practice-{name}").write_bytes(data)


if __name__ == "__main__":
    main()
