"""Timing things against each other so that the machine's moods fall on all of them alike.

Protocol: warm-up of each contender; then rounds, in which each has one turn, in an order that is reversed from round
to round. A turn is one call thrown away, where calls are short, and `calls` calls that are timed one by one. Calls too
short for the clock are timed in bundles of `inner`, and the sample is the bundle's mean.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from workbench import bets, machine, stats
from workbench.cards import Card, Line, Table
from workbench.files import RESULTS, Json, read, update
from workbench.session import LEAST_REPEATS, Session, is_whole, repr_short
from workbench.words import Lang, number, say

Contender = Callable[[], object]
LEAST_WARMUP = 10
_TURN_MS, _FAST_TURN_MS, _MOST_CALLS = 50.0, 10.0, 20
_BUNDLE_MS, _MOST_INNER = 0.05, 1000
_LONG_MS = 50.0


@dataclass(frozen=True)
class Protocol:
    """How a measurement was made; `discarded` and `calls` are calls of each turn, `inner` calls of each sample."""

    warmup: int
    rounds: int
    calls: int
    discarded: int
    inner: Mapping[str, int]


@dataclass(frozen=True, repr=False)
class Measurement:
    """Timings of some contenders, in milliseconds a call, and the numbers drawn from them."""

    id: str
    samples: Mapping[str, tuple[float, ...]]
    protocol: Protocol
    batch: int
    threads: Mapping[str, Any]
    flags: tuple[str, ...]
    lang: Lang
    bet: str = field(default="")

    def median(self, name: str) -> float:
        """The middle time of one call, in milliseconds."""
        return stats.median(self._of(name))

    def p95(self, name: str) -> float:
        """The time that 95 of 100 calls stay under, in milliseconds."""
        return stats.quantile(self._of(name), 0.95)

    def ratio(self, slower: str, faster: str) -> float:
        """Median of the first over median of the second: 3.0 says that the second is three times as fast."""
        return self.median(slower) / self.median(faster)

    def ratio_range(self, slower: str, faster: str) -> tuple[float, float]:
        """Between which two of the rounds' ratios the true one lies, with a chance of nine in ten or more."""
        pairs = zip(self._rounds(slower), self._rounds(faster), strict=True)
        return stats.spread([a / b for a, b in pairs])

    def table(self) -> Table:
        """One row a contender: median, p95, how many times as fast as the first, samples."""
        first = next(iter(self.samples))
        words = ("contender", "median", "p95", "ratio", "range", "samples")
        header = [say(f"measure_{word}", self.lang, name=first) for word in words]
        return Table(header, [self._row(name, first) for name in self.samples])

    def card(self) -> Card:
        """The table with its forecast above and its circumstances below."""
        lines = [Line(self.bet, say("measure_bet", self.lang))] if self.bet else []
        about = say(
            "measure_about", self.lang, batch=self.batch, warmup=self.protocol.warmup, rounds=self.protocol.rounds,
            calls=self.protocol.calls, threads=_threads_worded(self.threads), flags=machine.headline(self.flags) or "?",
        )  # fmt: skip
        return Card(say("measure_title", self.lang, id=self.id), (*lines, self.table(), Line(about)), self.lang)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.card()._repr_mimebundle_()

    def _repr_html_(self) -> str:
        return self.card().html()

    def __repr__(self) -> str:
        return self.card().plain()

    def _row(self, name: str, first: str) -> list[str]:
        low, high = self.ratio_range(first, name)
        values = (self.median(name), self.p95(name), self.ratio(first, name), low, high)
        middle, late, ratio, least, most = (number(value, self.lang, zeros=True) for value in values)
        between = "-" if name == first else f"{least} – {most}"
        return [name, middle, late, f"× {ratio}", between, str(len(self.samples[name]))]

    def _of(self, name: str) -> tuple[float, ...]:
        if name not in self.samples:
            from workbench.errors import WorkbenchError

            raise WorkbenchError("measure_unknown", self.lang, name=repr_short(name), names=", ".join(self.samples))
        return self.samples[name]

    def _rounds(self, name: str) -> list[float]:
        """The median of each round's turn."""
        samples, calls = self._of(name), self.protocol.calls
        return [stats.median(samples[start : start + calls]) for start in range(0, len(samples), calls)]


def measure(
    session: Session, contenders: Mapping[str, Contender], bet: object, name: object, batch: Any,
    n_repeats: Any, warmup: Any,
) -> Measurement:  # fmt: skip
    """Times the contenders against each other and keeps the raw samples in `results.json` under the id."""
    forecast = bets.find(session, bet) if bet is not None else None
    key = _key(session, bet, name)
    _check(session, contenders, batch)
    rounds = _at_least(session, "bad_repeats", session.n_repeats if n_repeats is None else n_repeats, LEAST_REPEATS)
    turns = _at_least(session, "bad_warmup", LEAST_WARMUP if warmup is None else warmup, LEAST_WARMUP)
    read(session, RESULTS)  # what could not be kept is not worth the wait
    protocol, samples = run(contenders, rounds, turns, session.fast)
    done = Measurement(
        key, samples, protocol, int(batch), machine.threads(contenders), tuple(machine.flags()), session.lang,
        bets.worded(session, forecast) if forecast else "",
    )  # fmt: skip
    update(session, RESULTS, lambda results: results["measures"].__setitem__(key, _stored(done)))
    return done


def run(
    contenders: Mapping[str, Contender], rounds: int, warmup: int, fast: bool
) -> tuple[Protocol, dict[str, tuple[float, ...]]]:
    """The protocol as it came out, and for each contender its samples in order: milliseconds of one call."""
    with _without_collection():
        costs = {name: _warm(contender, warmup) for name, contender in contenders.items()}
        slowest = max(costs.values())
        calls = max(1, min(_MOST_CALLS, math.floor((_FAST_TURN_MS if fast else _TURN_MS) / slowest)))
        discarded = 1 if slowest < _LONG_MS else 0
        inner = {name: max(1, min(_MOST_INNER, math.ceil(_BUNDLE_MS / cost))) for name, cost in costs.items()}
        samples: dict[str, list[float]] = {name: [] for name in contenders}
        order = list(contenders)
        for _ in range(rounds):
            for name in order:
                for _ in range(discarded):
                    contenders[name]()
                samples[name] += [_timed(contenders[name], inner[name]) for _ in range(calls)]
            order.reverse()
    kept = {name: tuple(values) for name, values in samples.items()}
    return Protocol(warmup, rounds, calls, discarded, inner), kept


def _warm(contender: Contender, calls: int) -> float:
    """Milliseconds of one call, once it is warm."""
    times = [_timed(contender, 1) for _ in range(calls)]
    return stats.median(times[len(times) // 2 :])


def _timed(contender: Contender, inner: int) -> float:
    begun = time.perf_counter_ns()
    for _ in range(inner):
        contender()
    return max(time.perf_counter_ns() - begun, 1) / 1e6 / inner


@contextmanager
def _without_collection() -> Iterator[None]:
    """A garbage collection would fall on whoever happens to run."""
    was = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _key(session: Session, bet: object, name: object) -> str:
    key = bet if name is None else name
    if not (isinstance(key, str) and 0 < len(key) <= 80):
        session.refuse("measure_id", found=repr_short(key))
    return key


def _check(session: Session, contenders: object, batch: Any) -> None:
    if not isinstance(contenders, Mapping) or not contenders:
        session.refuse("measure_contenders", found=repr_short(contenders))
    for name, contender in contenders.items():
        if not (isinstance(name, str) and name.strip()):
            session.refuse("measure_name", found=repr_short(name))
        if not callable(contender):
            session.refuse("measure_callable", name=name, found=type(contender).__name__)
    if not is_whole(batch) or batch < 1:
        session.refuse("measure_batch", found=repr_short(batch))


def _at_least(session: Session, code: str, value: Any, least: int) -> int:
    if not is_whole(value) or value < least:
        session.refuse(code, found=repr_short(value), least=least)
    return int(value)


def _stored(done: Measurement) -> dict[str, Json]:
    return {
        "unit": "ms",
        "batch": done.batch,
        "warmup": done.protocol.warmup,
        "rounds": done.protocol.rounds,
        "calls": done.protocol.calls,
        "discarded": done.protocol.discarded,
        "inner": dict(done.protocol.inner),
        "threads": dict(done.threads),
        "machine": machine.machine(),
        "flags": list(done.flags),
        "samples": {name: [_short(value) for value in values] for name, values in done.samples.items()},
        "median": {name: _short(done.median(name)) for name in done.samples},
    }


def _short(milliseconds: float) -> float:
    """Six digits: no clock is finer, and the file stays readable."""
    return float(f"{milliseconds:.6g}")


def _threads_worded(threads: Mapping[str, Any]) -> str:
    shown = [f"{name} {value}" for name, value in threads.items() if isinstance(value, int)]
    sessions = threads.get("onnxruntime") or {}
    shown += [f"{name} {count or 'auto'}" for name, count in sessions.items() if count is not None]
    return ", ".join(shown + [f"{name}={value}" for name, value in threads.get("env", {}).items()])
