"""The three promises of one slide about int8 (three times as fast, -75 %, less than 1 % lost), network by network.

Every file is quantized as the solution of lab 03 does, then timed by the grader's own evaluator in turns with its fp32
model, one thread, a fresh process each time, and run on the held-out digits and on lab 03's hidden pool. A loss is
the share of all images that fp32 reads and int8 does not, with Wilson's 95 % interval; images won back are told apart.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from math import sqrt
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from grader.checks import Feed
from grader.lab import load_lab
from grader.modelling import Model, ask_model
from grader.modules import marked
from grader.records import ModelRun
from grader.workrooms.local import LocalRoom
from tests.bench.common import CACHE, COMMON, ROOT, Results, Row, repetitions, spread_of, table

LAB3 = load_lab(ROOT / "labs" / "03-quantization")
SOLUTION3 = ROOT / "solutions" / "03-quantization"
PARTS = (
    "grader/evaluator", "grader/modelling.py", "labs/common/models", "labs/common/digits.safetensors",
    "labs/03-quantization/inputs.py", "labs/03-quantization/private/pool.npz",
    "solutions/03-quantization/src/quantize.py",
)  # fmt: skip
CASES = [(network, way) for network in ("cnn384", "mlp", "lenet", "fast") for way in ("static", "dynamic")]
BATCHES, ROUNDS = (1, 32), 15
Z = 1.96


def wilson(count: int, of: int) -> tuple[float, float]:
    """Bounds of a share's 95 % interval (E. B. Wilson, Journal of the American Statistical Association 22, 1927)."""
    share, extra = count / of, Z * Z / of
    reach = Z * sqrt(share * (1 - share) / of + extra / (4 * of))
    return max(0.0, (share + extra / 2 - reach) / (1 + extra)), min(1.0, (share + extra / 2 + reach) / (1 + extra))


@cache
def images() -> Feed:
    """The held-out digits and all of the hidden pool; truth: the labels."""
    feeds = dict(marked(ROOT / "labs" / "03-quantization" / "inputs.py", "feeds"))
    public = feeds["held_out"](Random("claims"), COMMON)
    with np.load(ROOT / "labs" / "03-quantization" / "private" / "pool.npz") as pool:
        everything = np.concatenate([public.arrays["image"], pool["images"]])
        return Feed({"image": everything}, [*public.truth["labels"], *pool["labels"].tolist()])


def quantized(network: str, way: str, folder: Path) -> Path:
    """The int8 file of a network, made as lab 03's solution makes it."""
    logging.disable(logging.WARNING)
    sys.path.insert(0, str(SOLUTION3))
    from src import quantize  # type: ignore[import-not-found]

    out, model = folder / f"{network}-{way}.onnx", COMMON / "models" / f"{network}.onnx"
    if way == "dynamic":
        quantize.quantize_on_the_fly(model, out)
    else:
        digits = training_digits()
        quantize.quantize_calibrated(model, out, digits["images"][quantize.calibration_rows(digits["split"], 0)])
    return out


def training_digits() -> dict[str, Any]:
    """All digits with their split; the solution calibrates on training rows only."""
    from safetensors.numpy import load_file

    return dict(load_file(COMMON / "digits.safetensors"))


def read_by(room: LocalRoom, path: Path) -> list[int]:
    """The label that a model gives each image, one image at a time."""
    told = ask_model(room, LAB3, Model(path, "onnx"), ModelRun(feed="all", seconds=300), images())
    assert told["problem"] is None, told
    return list(told["batches"][0]["outputs"]["label"])


def accuracy(room: LocalRoom, network: str, way: str) -> Row:
    """Size, and which images are lost or won against fp32."""
    with TemporaryDirectory(dir=CACHE / "bench") as folder:
        path, plain = quantized(network, way, Path(folder)), COMMON / "models" / f"{network}.onnx"
        int8, fp32, truth = read_by(room, path), read_by(room, plain), images().truth
        rows = list(zip(int8, fp32, truth, strict=True))
        return {
            "bytes": path.stat().st_size,
            "fp32_bytes": plain.stat().st_size,
            "of": len(rows),
            "fp32_right": sum(before == label for _, before, label in rows),
            "lost": sum(before == label != after for after, before, label in rows),
            "won": sum(after == label != before for after, before, label in rows),
        }


def timing(room: LocalRoom, network: str, way: str) -> Row:
    """How many times as fast, by the medians and by the best calls of one process."""
    with TemporaryDirectory(dir=CACHE / "bench") as folder:
        path = quantized(network, way, Path(folder))
        run = ModelRun(feed="all", pair=f"models/{network}.onnx", batches=BATCHES, rounds=ROUNDS, seconds=300)
        told = ask_model(room, LAB3, Model(path, "onnx"), run, images())
    assert told["problem"] is None, told
    ratios = {}
    for row in told["batches"]:
        ratios[f"median_{row['batch']}"] = round(median(row["reference"]) / median(row["mine"]), 3)
        ratios[f"best_{row['batch']}"] = round(min(row["reference"]) / min(row["mine"]), 3)
    return {**ratios, "flags": [flag for flag in told["flags"] if "vnni" in flag or "amx" in flag]}


def lines(results: Results) -> Iterator[list[object]]:
    """One line a network and way; a promise is kept where the whole of what was measured keeps it."""
    for network, way in CASES:
        times = results.where(kind="timing", network=network, way=way)
        facts = results.where(kind="accuracy", network=network, way=way)
        if not times or not facts:
            continue
        fact = facts[0]
        low, high = wilson(fact["lost"], fact["of"])
        lighter = 100 * (1 - fact["bytes"] / fact["fp32_bytes"])
        speeds = [[row[f"median_{batch}"] for row in times] for batch in BATCHES]
        kept = [median(speeds[0]) >= 3, lighter >= 74, high < 0.01]
        yield [
            network, way, *map(spread_of, speeds), f"-{lighter:.1f} %",
            f"{100 * fact['lost'] / fact['of']:.2f} % [{100 * low:.2f}..{100 * high:.2f}]", fact["won"],
            *("yes" if each else "no" for each in kept),
        ]  # fmt: skip


def report(results: Results) -> str:
    """The table and the circumstances."""
    header = ["network", "way", "x at batch 1", "x at batch 32", "size", "lost of 1,440 [95 %]", "won", "x3", "-75 %",
              "< 1 %"]  # fmt: skip
    flags = sorted({flag for row in results.where(kind="timing") for flag in row["flags"]})
    runs = len(results.where(kind="timing", network="cnn384", way="static"))
    about = (
        f"Medians [lowest..highest] of {runs} processes, {ROUNDS} rounds each; one thread; onnxruntime "
        f"{metadata.version('onnxruntime')}; processor with {', '.join(flags) or 'no int8 products'}. "
        "x3: median at batch 1 of at least 3. -75 %: at least 74 %, scales and graph aside. < 1 %: the whole interval "
        "of the lost images below 1 %."
    )
    return table(header, list(lines(results))) + f"\n\n{about}"


def main() -> None:
    """Measure what is missing, then print the table."""
    count = repetitions(__doc__, 5)
    results = Results("claims", PARTS)
    (CACHE / "bench").mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=CACHE / "bench") as work:
        room = LocalRoom(Path(work), CACHE)
        for network, way in CASES:
            key: dict[str, Any] = {"network": network, "way": way}
            results.once(lambda key=key: accuracy(room, **key), kind="accuracy", **key)  # type: ignore[misc]
        for number in range(count):
            for network, way in CASES:
                key = {"network": network, "way": way}
                results.once(lambda key=key: timing(room, **key), kind="timing", number=number, **key)  # type: ignore[misc]
    results.publish("Three promises about int8", report(results))


if __name__ == "__main__":
    main()
