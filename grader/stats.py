"""The statistics of paired latency: pure functions on the turns that the driver recorded.

A turn is `{"student": [ms, …], "yardstick": [ms, …]}`, a handful of requests to each side, one after the other.
numpy is imported when first needed: the command line must start without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Turn = Mapping[str, Any]
_BLOCKS = 20


@dataclass(frozen=True)
class Interval:
    """An estimate and the bounds of its confidence interval."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Tail:
    """Slow requests of each side, and how likely so many of them are the student's if the machine made them all."""

    student_hits: int
    yardstick_hits: int
    p_value: float


def turn_ratios(turns: Sequence[Turn]) -> list[float]:
    """For each turn, the student's median time over the yardstick's: 2.0 means twice as slow in that turn.

    Both medians come from the same fraction of a second, so a slow spell of the machine cancels out.
    """
    return [median(turn["student"]) / median(turn["yardstick"]) for turn in turns]


def ratio_interval(turns: Sequence[Turn], seed: int = 0, level: float = 0.95, draws: int = 1000) -> Interval:
    """The median of the turn ratios with its bootstrap interval at `level`; the same seed gives the same interval.

    Moving-block bootstrap (H. R. Künsch, "The Jackknife and the Bootstrap for General Stationary Observations",
    Annals of Statistics 17(3), 1989): neighbouring turns resemble each other, so stretches of consecutive turns,
    about 20 to a sample, are drawn with replacement, and the bounds are the percentiles of the draws' medians.
    """
    if not turns:
        raise ValueError("no turns to compare")
    import numpy as np

    ratios = np.asarray(turn_ratios(turns), dtype=float)
    size = len(ratios)
    length = max(1, round(size / _BLOCKS))
    generator = np.random.default_rng(seed)
    starts = generator.integers(0, size - length + 1, size=(draws, math.ceil(size / length)))
    rows = (starts[:, :, None] + np.arange(length)).reshape(draws, -1)[:, :size]
    medians = np.median(ratios[rows], axis=1)
    low, high = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.median(ratios)), float(low), float(high))


def slow_tail(turns: Sequence[Turn], factor: float) -> Tail:
    """How many requests of each side took over `factor` times that side's own median, and how likely that split is.

    The machine interrupts a service in proportion to the time that it works: of interruptions alone, each falls on
    the student's side with its share of the time, counted in medians so that the slow requests do not excuse
    themselves. One-sided conditional test of two Poisson rates (J. Przyborowski and H. Wilenski, "Homogeneity of
    Results in Testing Samples from Poisson Series", Biometrika 31, 1940): the binomial chance of so many hits or more.
    """
    student = [ms for turn in turns for ms in turn["student"]]
    yardstick = [ms for turn in turns for ms in turn["yardstick"]]
    if not student or not yardstick:
        raise ValueError("no turns to compare")
    student_hits, yardstick_hits = _over(student, factor), _over(yardstick, factor)
    student_time, yardstick_time = len(student) * median(student), len(yardstick) * median(yardstick)
    share = student_time / (student_time + yardstick_time)
    return Tail(student_hits, yardstick_hits, _at_least(student_hits, student_hits + yardstick_hits, share))


def _over(times: Sequence[float], factor: float) -> int:
    limit = factor * median(times)
    return sum(ms > limit for ms in times)


def _at_least(hits: int, count: int, share: float) -> float:
    """P(X >= hits) where each of `count` is a hit with probability `share`."""
    chances = (
        math.exp(_log_choose(count, k) + k * math.log(share) + (count - k) * math.log1p(-share))
        for k in range(hits, count + 1)
    )
    return min(1.0, math.fsum(chances))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def auc(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """How often a positive case scores higher than a negative one, ties counting half; 0.5 is no better than chance."""
    order = sorted(range(len(scores)), key=lambda at: scores[at])
    total, start = 0.0, 0
    while start < len(order):
        end = start
        while end < len(order) and scores[order[end]] == scores[order[start]]:
            end += 1
        rank = (start + 1 + end) / 2  # of tied scores, the mean of their ranks
        total += rank * sum(positive[at] for at in order[start:end])
        start = end
    ones = sum(positive)
    zeros = len(order) - ones
    if not ones or not zeros:
        raise ValueError("both kinds of cases are needed")
    return (total - ones * (ones + 1) / 2) / (ones * zeros)
