"""Does the latency verdict follow the truth? Services of known CPU per request, alone and beside CPU hogs; one stalls.

The truth of a service is its CPU per request over the yardstick's, counted by the kernel while blocks of 100
requests are sent to one of them alone. The absolute rule is what a fixed number of milliseconds would have said of the
same samples.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import nullcontext
from functools import partial
from statistics import median, quantiles

from grader.engines.base import ImageInfo
from grader.probes.box import Box
from grader.probes.service import latency
from grader.records import Start
from grader.stats import ratio_interval
from tests.bench.common import HERE, Bench, Results, Row, bench, hogs, judged, repetitions, spread_of, table

PARTS = (
    "grader/driver", "grader/probes", "grader/engines", "grader/stats.py", "labs/05-docker/checks.py",
    "labs/common/models/fast.onnx", "docker/yardstick", "tests/bench/latency",
)  # fmt: skip
STALLS = {"1 and stalls": 20.0}  # ms
SERVICES = {"1": 1.0, "1.25": 1.25, "2.5": 2.5, "10": 10.0, "1 and stalls": 1.0}
RIGHT = {"1": "full", "1.25": "full", "2.5": "half", "10": "none", "1 and stalls": "none"}
CONDITIONS = ("alone", "hogs")
HOGS_PER_CORE = 2
TRUTH_REQUESTS, TRUTH_BLOCKS = 100, 20  # to each side, in turn
TRUTH_TOLERANCE, AIM = 0.05, 0.03
FIRST_GUESS = 20_000  # loops for one time the yardstick's CPU
ABSOLUTE = {"full": 1.5, "half": 2.5}  # times the quiet yardstick's p95
RIGHTS = ("full", "half", "none")
WORDS = {1.0: "full", 0.5: "half", 0.0: "none"}


def slowed(rig: Bench, loops: int, stall_ms: float = 0) -> ImageInfo:
    if not loops and not stall_ms:
        return rig.yardstick_image
    return rig.image(HERE / "latency", LOOPS=str(loops), STALL_MS=str(stall_ms))


def cpu_per_request(box: Box) -> float:
    """CPU milliseconds a request, of requests sent to this service while the other one rests."""
    before = box.cpu_ms()
    result = box.rig.call(
        "spread", 90, helper=box.helper, port=8000, path="/predict", bodies=box.bodies(TRUTH_REQUESTS, "truth"),
        lines=1, seconds=5, phase=60,
    )  # fmt: skip
    if result["failures"]:
        raise RuntimeError(f"{result['failures']} requests failed")
    return (box.cpu_ms() - before) / TRUTH_REQUESTS


def truth(rig: Bench, loops: int) -> Row:
    """The CPU ratio of a service to the yardstick: blocks of requests to one, then to the other; median ratio."""
    plain = Start(name="plain", spec=rig.lab.starts["normal"])
    other = Start(name="slowed", spec=rig.lab.starts["normal"])
    with rig.service(rig.yardstick_image, plain, "", 1) as one, rig.service(slowed(rig, loops), other, "", 1) as two:
        cpu_per_request(one), cpu_per_request(two)
        pairs = [(cpu_per_request(one), cpu_per_request(two)) for _ in range(TRUTH_BLOCKS)]
    ratios = [second / first for first, second in pairs]
    return {"truth": round(median(ratios), 4), "lowest": round(min(ratios), 4), "highest": round(max(ratios), 4),
            "yardstick_ms": round(median(first for first, _ in pairs), 4)}  # fmt: skip


def calibrated(rig: Bench, factor: float) -> Row:
    """The loops that make a service `factor` times as dear, and its truth, confirmed with fresh containers."""
    loops = round((factor - 1) * FIRST_GUESS)
    for _ in range(8):
        found = truth(rig, loops)
        if abs(found["truth"] / factor - 1) <= AIM:
            found = truth(rig, loops)
            if abs(found["truth"] / factor - 1) <= TRUTH_TOLERANCE:
                return {"loops": loops, **found, "load": round(os.getloadavg()[0], 2)}
        if loops:
            loops = round(loops * (factor - 1) / max(found["truth"] - 1, 0.02))
    raise SystemExit(f"{factor} is not reached within 5 %, the machine is not quiet: {found}")


def measured(rig: Bench, image: ImageInfo, condition: str, seed: int) -> Row:
    """One grading of the service's latency: fresh containers on both sides, the lab's probe, the lab's check."""
    company = hogs(HOGS_PER_CORE) if condition == "hogs" else nullcontext()
    began = time.monotonic()
    start = Start(name="normal", spec=rig.lab.starts["normal"])
    with rig.yardstick() as yardstick, rig.service(image, start, yardstick, seed) as box, company:
        data = latency(box, start.spec.options["latency"])
        facts = judged("latency", {"normal": {"ready": box.ready, "latency": data}})
    interval = ratio_interval(data["turns"])
    return {
        "verdict": WORDS[facts["share"]], "cause": facts["cause"], "ratio": round(interval.median, 4),
        "low": round(interval.low, 4), "high": round(interval.high, 4), "turns": len(data["turns"]),
        "p95": {side: p95([ms for turn in data["turns"] for ms in turn[side]]) for side in ("student", "yardstick")},
        "seconds": round(time.monotonic() - began, 2), "load": round(os.getloadavg()[0], 2),
    }  # fmt: skip


def p95(values: list[float]) -> float:
    return round(quantiles(values, n=20)[-1], 4)


def campaign(rig: Bench, results: Results, count: int) -> None:
    """Every service under both conditions in turn, in random order, `count` times."""
    images = {}
    for service, factor in SERVICES.items():
        row = results.once(partial(calibrated, rig, factor), kind="truth", factor=factor)
        images[service] = slowed(rig, row["loops"], STALLS.get(service, 0))
    for repetition in range(count):
        for condition in CONDITIONS:
            for service in random.Random(repetition).sample(list(SERVICES), len(SERVICES)):
                measure = partial(measured, rig, images[service], condition, repetition)
                results.once(measure, kind="run", service=service, condition=condition, repetition=repetition)


def absolute(row: Row, quiet: float) -> str:
    """What a fixed limit in milliseconds says about the same samples."""
    return next((word for word, times in ABSOLUTE.items() if row["p95"]["student"] <= times * quiet), "none")


def report(results: Results) -> str:
    quiet = median(row["p95"]["yardstick"] for row in results.where(kind="run", condition="alone"))
    rows, alike = [], []
    for condition in CONDITIONS:
        for service, factor in SERVICES.items():
            truth_row = results.where(kind="truth", factor=factor)[0]
            runs = results.where(kind="run", condition=condition, service=service)
            said = [row["verdict"] for row in runs]
            fixed = [absolute(row, quiet) for row in runs]
            rows.append([
                service, f"{truth_row['truth']:.2f}", condition, RIGHT[service],
                " ".join(f"{w} {said.count(w)}" for w in RIGHTS), len(said) - said.count(RIGHT[service]),
                spread_of([row["ratio"] for row in runs]),
                spread_of([row["seconds"] for row in runs], 1), " ".join(f"{w} {fixed.count(w)}" for w in RIGHTS),
                len(fixed) - fixed.count(RIGHT[service]), spread_of([row["p95"]["student"] for row in runs], 1),
            ])  # fmt: skip
        ratios = [row["ratio"] for row in results.where(kind="run", condition=condition, service="1")]
        alike.append([condition, len(ratios), spread_of(ratios, 3)])
    wrong = [row for row in results.where(kind="run") if row["verdict"] != RIGHT[row["service"]]]
    header = ["service", "truth", "condition", "right", "verdicts", "wrong", "ratio", "seconds", "by absolute p95",
              "wrong", "p95 ms"]  # fmt: skip
    named = "\n".join(f"- {row['service']} {row['condition']} #{row['repetition']}: {row['verdict']} ({row['cause']}), "
                      f"ratio {row['ratio']} [{row['low']}, {row['high']}]" for row in wrong)  # fmt: skip
    return (
        f"{table(header, rows)}\n\nThe absolute rule: full up to {ABSOLUTE['full']}, half up to {ABSOLUTE['half']} "
        f"times the p95 of the yardstick alone on this machine, {quiet:.2f} ms. Hogs: {HOGS_PER_CORE} on each core.\n\n"
        f"Yardstick against yardstick, fresh containers for both:\n\n{table(['condition', 'runs', 'ratio'], alike)}\n\n"
        f"Wrong verdicts: {len(wrong)} of {len(results.where(kind='run'))}\n{named}"
    )


def main() -> None:
    """Measure what is missing, then print the tables."""
    count = repetitions(__doc__, 20)
    results = Results("latency", PARTS)
    with bench() as rig:
        campaign(rig, results, count)
    results.publish("Latency verdicts against the truth", report(results))


if __name__ == "__main__":
    main()
