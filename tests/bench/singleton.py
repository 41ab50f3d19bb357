"""Is a model that is loaded again and again found, and one that is loaded once left in peace?

Thirteen services under tests/bench/singleton/, eight of them good, go through lab 05's two starts that look at loading.
"""

from __future__ import annotations

import os
import random
import time

from grader.engines.base import ImageInfo
from grader.probes.service import model_loads
from grader.records import Start
from tests.bench.common import HERE, Bench, Results, Row, bench, judged, repetitions, spread_of, table

PARTS = (
    "grader/driver", "grader/probes", "grader/engines", "labs/05-docker/checks.py", "labs/05-docker/lab.toml",
    "labs/common/models/fast.onnx", "docker/yardstick/requirements.txt", "tests/bench/singleton",
)  # fmt: skip
GOOD = ("lifespan", "module_global", "module_global_threads", "lazy", "lifespan_two_workers", "lazy_two_workers",
        "background_thread", "reload_when_changed")  # fmt: skip
BAD = ("load_per_request", "rebuild_from_memory", "copy_to_tmp", "every_tenth", "subprocess_per_request")
STARTS = ("normal", "padded")


def image_of(rig: Bench, variant: str) -> ImageInfo:
    return rig.image(HERE / "singleton" / "_service", HERE / "singleton" / variant)


def measured(rig: Bench, image: ImageInfo, seed: int) -> Row:
    """Both starts with the lab's probe, and what the lab's check says."""
    began = time.monotonic()
    sections = {}
    for name in STARTS:
        start = Start(name=name, spec=rig.lab.starts[name])
        with rig.service(image, start, "", seed) as box:
            sections[name] = {"ready": box.ready, "model_loads": model_loads(box, {})}
    verdict = judged("load.once", sections)
    loads = {name: section["model_loads"] for name, section in sections.items()}
    keys = ("start", "warm", "measured", "changed", "failures", "workers", "cpu_ms", "cpu_ms_ready")
    return {
        "share": verdict["share"], "cause": verdict["cause"],
        **{name: {key: loads[name][key] for key in keys} for name in STARTS},
        "seconds": round(time.monotonic() - began, 2), "load": round(os.getloadavg()[0], 2),
    }  # fmt: skip


def campaign(rig: Bench, results: Results, count: int) -> None:
    """Every variant in random order, `count` times."""
    for repetition in range(count):
        variants = [v for v in GOOD + BAD if not results.where(variant=v, repetition=repetition)]
        random.Random(repetition).shuffle(variants)
        for variant in variants:
            found = measured(rig, image_of(rig, variant), repetition)
            results.add(variant=variant, good=variant in GOOD, repetition=repetition, **found)


def report(results: Results) -> str:
    rows = []
    for variant in GOOD + BAD:
        runs = results.where(variant=variant)
        causes = sorted({str(row["cause"]) for row in runs if row["cause"]})
        opens = sorted({"/".join(str(row["normal"][key]) for key in ("start", "warm", "measured")) for row in runs})
        rows.append([
            variant, "good" if variant in GOOD else "bad", len(runs), sum(wrong(row) for row in runs), " ".join(causes),
            " ".join(opens), *(spread_of([row[name]["cpu_ms"] for row in runs]) for name in STARTS),
            spread_of([row["padded"]["cpu_ms"] - row["normal"]["cpu_ms"] for row in runs]),
            spread_of([row["seconds"] for row in runs], 1),
        ])  # fmt: skip
    header = ["variant", "truth", "runs", "wrong", "causes", "opens start/warm/measured", "CPU ms/request", "padded",
              "growth", "seconds"]  # fmt: skip
    missed = sum(wrong(row) for row in results.rows if not row["good"])
    accused = sum(wrong(row) for row in results.rows if row["good"])
    bad = sum(not row["good"] for row in results.rows)
    return (
        f"{table(header, rows)}\n\nBad services missed: {missed} of {bad} runs. "
        f"Good services accused: {accused} of {len(results.rows) - bad} runs."
    )


def wrong(row: Row) -> bool:
    return bool(row["good"] != (row["share"] == 1.0))


def main() -> None:
    """Measure what is missing, then print the table."""
    count = repetitions(__doc__, 5)
    results = Results("singleton", PARTS)
    with bench() as rig:
        campaign(rig, results, count)
    results.publish("Loading the model once", report(results))


if __name__ == "__main__":
    main()
