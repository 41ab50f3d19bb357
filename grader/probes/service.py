"""Probes of a running service: each takes a box and its options and returns plain data."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grader.probes.box import Box, Options
from grader.probes.models import place_model
from grader.probes.rig import SLACK_SECONDS, DriverSaid
from grader.records import Json
from grader.stats import ratio_interval

LINES = 8
TOLERANCE = 1e-4  # between two runtimes on the same float32 graph
WARM_REQUESTS = 64
MEASURED_REQUESTS = 80
SWAP_REQUESTS = 24
LOADED_REQUESTS = 16
TURNS = 150
MEASURED_PER_TURN = 4
ROUNDS = 3
LATENCY_LOCK = Path("/tmp/mlops-workbench-latency.lock")


def answers(box: Box, options: Options) -> Json:
    """The service's answers to hidden inputs, beside the trusted service's answers to the same ones."""
    asked = box.bodies(int(options.get("inputs", 50)), "answers")
    given = box.rig.ask(box.helper, asked, box.port)
    expected = [answer["json"] for answer in box.rig.ask(box.yardstick, asked)]
    asked_and_expected = zip(given, expected, strict=True)
    return {"asked": [answer | {"expected": right} for answer, right in asked_and_expected], "tolerance": TOLERANCE}


def processes(box: Box, options: Options) -> Json:
    """Who runs in the sandbox at ready, after load and before the end."""
    spread(box, LOADED_REQUESTS, "processes")
    box.note_processes("loaded")
    return box.processes


def spread(box: Box, count: int, purpose: str) -> int:
    """Send `count` requests over a few connections; how many failed."""
    limits, service = box.rig.limits, box.rig.service
    result = box.rig.call(
        "spread", limits.phase_seconds + SLACK_SECONDS, helper=box.helper, port=box.port, path=service.predict,
        bodies=box.bodies(count, purpose), lines=LINES, seconds=limits.request_seconds, phase=limits.phase_seconds,
    )  # fmt: skip
    return int(result["failures"])


def model_loads(box: Box, options: Options) -> Json:
    """Opens of the model file before, during and after warm-up, and CPU time per request.

    Where file events do not reach us, the file is swapped after warm-up and the answers are compared.
    """
    failures = spread(box, WARM_REQUESTS, "warm")
    warm = box.watch.opens() if box.watch else None
    before = box.cpu_ms()
    failures += spread(box, MEASURED_REQUESTS, "measured")
    cpu = box.cpu_ms() - before
    measured = box.watch.opens() if box.watch else None
    box.note_processes("loaded")
    workers = {row["pid"] for row in box.processes if row["moment"] == "loaded" and row["name"] != "docker-init"}
    return {
        "method": "inotify" if box.watch else "swap",
        "start": box.ready.get("opens"),
        "warm": warm,
        "measured": measured,
        "changed": None if box.watch else changed_by_swap(box),
        "requests": {"warm": WARM_REQUESTS, "measured": MEASURED_REQUESTS},
        "failures": failures,
        "cpu_ms": round(cpu / MEASURED_REQUESTS, 4),
        "cpu_ms_ready": box.ready.get("cpu_ms"),
        "cpu_method": box.host.cpu_seconds(box.sandbox)[0],
        "workers": len(workers),
        "pad_mib": box.start.spec.pad_mib,
    }


def changed_by_swap(box: Box) -> int:
    """How many answers change when another model takes the file's place."""
    asked = box.bodies(SWAP_REQUESTS, "swap")
    before = box.rig.ask(box.helper, asked, box.port)
    place_model(box.spare_model, box.model_folder / "next", 0).rename(box.model_folder / "model.onnx")
    after = box.rig.ask(box.helper, asked, box.port)
    return sum((a["status"], a["json"]) != (b["status"], b["json"]) for a, b in zip(before, after, strict=True))


@contextmanager
def quiet_machine() -> Iterator[None]:
    """Holds the machine-wide lock under which latency is measured, by whichever user grades."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        # Without O_CREAT first: a sticky folder forbids creating over another user's file.
        lock = os.open(LATENCY_LOCK, flags)
    except FileNotFoundError:
        lock = os.open(LATENCY_LOCK, flags | os.O_CREAT, 0o666)
        os.fchmod(lock, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def latency(box: Box, options: Options) -> Json:
    """Alternating turns of the service and the yardstick, until the ratio's interval is clear of the thresholds."""
    thresholds = [float(value) for value in options.get("thresholds", ())]
    spread(box, WARM_REQUESTS, "latency-warm")
    turns: list[Json] = []
    failures = {"student": 0, "yardstick": 0}
    disagreements = 0
    started = time.monotonic()
    with quiet_machine():
        for number in range(ROUNDS):
            found = take_turns(box, number)
            turns += found["turns"]
            failures = {side: failures[side] + found["failures"][side] for side in failures}
            disagreements += found["disagreements"]
            if len(found["turns"]) < TURNS or decided(turns, thresholds):
                break
    return {
        "turns": turns,
        "requests_per_turn": MEASURED_PER_TURN,
        "failures": failures["student"],
        "disagreements": disagreements,
        "seconds": round(time.monotonic() - started, 3),
    }


def take_turns(box: Box, number: int) -> Json:
    limits, service = box.rig.limits, box.rig.service
    return box.rig.call(
        "turns", limits.phase_seconds + SLACK_SECONDS, sides={"student": box.helper, "yardstick": box.yardstick},
        ports={"student": box.port, "yardstick": service.port}, path=service.predict,
        bodies=box.bodies(32, "latency"), count=TURNS,
        measured=MEASURED_PER_TURN, seed=box.seed + number, seconds=limits.request_seconds, phase=limits.phase_seconds,
    )  # fmt: skip


def decided(turns: list[Json], thresholds: list[float]) -> bool:
    """Whether the interval of the ratio lies clear of every threshold."""
    interval = ratio_interval(turns)
    return not any(interval.low <= threshold < interval.high for threshold in thresholds)


def stop(box: Box, options: Options) -> Json:
    """What a polite stop does while a request is being answered."""
    limits, service = box.rig.limits, box.rig.service
    body = box.bodies(1, "stop")[0]
    try:
        box.rig.call("hold", helper=box.helper, port=box.port, path=service.predict, body=body)
    except DriverSaid:
        return {"answered": False, "status": None, "exit_code": None, "seconds": 0.0, "killed": False}
    time.sleep(0.2)
    started = time.monotonic()
    box.sandbox.signal("SIGTERM")
    answer = box.rig.call("collect", limits.stop_seconds + SLACK_SECONDS, seconds=limits.stop_seconds)
    state = box.sandbox.wait(max(0.1, limits.stop_seconds - (time.monotonic() - started)))
    return {
        "answered": answer["status"] == 200,
        "status": answer["status"],
        "exit_code": state.exit_code,
        "seconds": round(time.monotonic() - started, 3),
        "killed": state.running,
    }
