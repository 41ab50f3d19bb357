"""Two models timed in turns on one thread: what the machine does to one it does to the other."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .arrays import Arrays, rows
from .running import Run, session

WARM_UP = 10
_SMALL = 4
_CALLS_SMALL, _CALLS_LARGE = 5, 2
_FLAGS = ("avx", "amx", "fma", "f16c", "sse4", "ssse3", "asimd", "sve", "i8mm", "bf16")


def timed(request: dict[str, Any], arrays: Arrays, folder: Path) -> Iterator[dict[str, Any]]:
    """One row a batch size: milliseconds of single calls, in the order in which they were made."""
    sides = {"mine": session(folder / request["model"]), "reference": session(folder / request["pair"])}
    for batch in request["batches"]:
        yield {"batch": batch} | _in_turns(sides, rows(arrays, 0, batch), batch, int(request.get("rounds") or 7))


def flags() -> list[str]:
    """What the processor says it can do, as far as it matters for models."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return []
    lines = [line.partition(":") for line in text.splitlines()]
    words = next((value.split() for key, _, value in lines if key.strip().lower() in ("flags", "features")), [])
    return sorted({word for word in words if word.startswith(_FLAGS)})


def _in_turns(sides: dict[str, Run], arrays: Arrays, batch: int, rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {side: [] for side in sides}
    for run in sides.values():
        for _ in range(WARM_UP):
            run(arrays)
    calls = _CALLS_SMALL if batch <= _SMALL else _CALLS_LARGE
    gc.disable()
    try:
        for number in range(rounds):
            for side in list(sides)[:: -1 if number % 2 else 1]:
                found[side] += [_milliseconds(sides[side], arrays) for _ in range(calls)]
    finally:
        gc.enable()
    return found


def _milliseconds(run: Run, arrays: Arrays) -> float:
    began = time.perf_counter_ns()
    run(arrays)
    return (time.perf_counter_ns() - began) / 1e6
