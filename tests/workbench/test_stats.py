"""The statistics, against numpy's and against chance itself."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import stats

FINITE = st.floats(min_value=1e-6, max_value=1e6)
SAMPLES = st.lists(FINITE, min_size=1, max_size=200)
SHARES = st.floats(min_value=0, max_value=1)


@given(SAMPLES, SHARES)
def test_quantile_is_numpy_s(samples: list[float], share: float) -> None:
    assert stats.quantile(samples, share) == pytest.approx(float(np.quantile(samples, share)), rel=1e-9)


@given(SAMPLES)
def test_median_is_numpy_s(samples: list[float]) -> None:
    assert stats.median(samples) == pytest.approx(float(np.median(samples)), rel=1e-12)


@given(SAMPLES, SHARES, SHARES)
def test_quantiles_rise_and_stay_inside(samples: list[float], one: float, other: float) -> None:
    low, high = sorted((stats.quantile(samples, one), stats.quantile(samples, other)))
    assert (stats.quantile(samples, min(one, other)), stats.quantile(samples, max(one, other))) == (low, high)
    assert min(samples) <= low <= high <= max(samples)


@given(SAMPLES, st.randoms())
def test_the_order_of_the_samples_does_not_matter(samples: list[float], chance: random.Random) -> None:
    mixed = samples[:]
    chance.shuffle(mixed)
    assert stats.quantile(mixed, 0.95) == stats.quantile(samples, 0.95)
    assert stats.spread(mixed) == stats.spread(samples)


@given(SAMPLES)
def test_the_spread_holds_the_sample_s_own_median(samples: list[float]) -> None:
    low, high = stats.spread(samples)
    assert low <= stats.median(samples) <= high
    assert low in samples
    assert high in samples


@given(st.integers(5, 300), st.floats(0.5, 0.99))
def test_the_spread_keeps_its_promise_and_is_the_narrowest_that_does(size: int, level: float) -> None:
    """The chance that the true median lies between the order statistics k and n-1-k, by the binomial."""
    low, high = stats.spread(list(range(size)), level)
    assert low + high == size - 1

    def chance(cut: int) -> float:
        return 1 - 2 * sum(math.comb(size, below) for below in range(cut + 1)) / 2**size

    if low > 0:
        assert chance(int(low)) >= level
    if low + 1 < (size + 1) // 2:
        assert chance(int(low) + 1) < level


@pytest.mark.parametrize("size", [5, 7, 8, 12, 30])
def test_the_spread_holds_the_true_median_as_often_as_it_says(size: int) -> None:
    chance = random.Random(1)
    hits = 0
    for _ in range(4000):
        low, high = stats.spread([chance.lognormvariate(0, 1) for _ in range(size)])  # its median is 1
        hits += low <= 1 <= high
    assert hits / 4000 >= 0.886  # 0.9, less three standard errors of the hit rate


def test_what_has_no_answer_is_refused() -> None:
    for call in (lambda: stats.median([]), lambda: stats.spread([]), lambda: stats.quantile([1.0], 1.1)):
        with pytest.raises(ValueError):
            call()
