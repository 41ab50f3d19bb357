"""The statistics that decide the latency item: known answers, known biases, known tails."""

from __future__ import annotations

import random
import subprocess
import sys
from fractions import Fraction
from math import comb
from typing import Any

import pytest

from grader.stats import _at_least, auc, ratio_interval, slow_tail, turn_ratios


def made(count: int, ratio: float, seed: int, noise: float = 0.08) -> list[dict[str, Any]]:
    """Turns whose machine wanders slowly: the noise that neighbouring turns share."""
    chance, spell, turns = random.Random(seed), 1.0, []
    for _ in range(count):
        spell = 0.9 * spell + 0.1 * chance.lognormvariate(0, 0.4)
        turns.append(
            {
                "student": [ratio * spell * chance.lognormvariate(0, noise) for _ in range(4)],
                "yardstick": [spell * chance.lognormvariate(0, noise) for _ in range(4)],
            }
        )
    return turns


def test_a_turn_ratio_is_the_ratio_of_its_medians() -> None:
    turns = [{"student": [4, 2, 100, 2], "yardstick": [1, 1, 1, 50]}, {"student": [1.0], "yardstick": [2.0]}]
    assert turn_ratios(turns) == [3.0, 0.5]


@pytest.mark.parametrize("true", [1.0, 1.25, 2.5, 10.0])
def test_the_interval_holds_the_true_ratio(true: float) -> None:
    held = 0
    for seed in range(40):
        interval = ratio_interval(made(120, true, seed), seed=seed, draws=400)
        assert interval.low <= interval.median <= interval.high
        held += interval.low <= true <= interval.high
    assert held >= 34  # 95 % of 40 is 38; block bootstrap is a little narrow on 20 blocks


def test_the_same_seed_gives_the_same_interval() -> None:
    turns = made(50, 1.5, 1)
    assert ratio_interval(turns, seed=4) == ratio_interval(turns, seed=4)
    assert ratio_interval(turns, seed=4) != ratio_interval(turns, seed=5)


def test_a_higher_level_gives_a_wider_interval() -> None:
    turns = made(100, 1.5, 2)
    wide, narrow = ratio_interval(turns, level=0.99), ratio_interval(turns, level=0.5)
    assert wide.low < narrow.low and wide.high > narrow.high


def test_blocks_see_that_neighbours_resemble_each_other() -> None:
    """A spell that lasts ten turns is one piece of news, not ten: the interval must be wider than for mixed turns."""
    chance = random.Random(5)
    spells = [chance.lognormvariate(0, 0.3) for _ in range(40)]
    runs = [{"student": [spells[index // 10]], "yardstick": [1.0]} for index in range(400)]
    mixed = chance.sample(runs, len(runs))
    wide, narrow = ratio_interval(runs), ratio_interval(mixed)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


@pytest.mark.parametrize("count", [1, 2, 3, 19, 21, 39])
def test_few_turns_are_no_crash(count: int) -> None:
    interval = ratio_interval(made(count, 2.0, 3))
    assert 1 < interval.low <= interval.median <= interval.high < 4


def test_no_turns_are_refused() -> None:
    with pytest.raises(ValueError, match="no turns"):
        ratio_interval([])
    with pytest.raises(ValueError, match="no turns"):
        slow_tail([], 3)


def test_the_tail_counts_each_side_against_its_own_median() -> None:
    turns = [{"student": [1.2] * 3 + [3.7], "yardstick": [1.0] * 3 + [2.9]}] * 20
    tail = slow_tail(turns, 3)
    assert (tail.student_hits, tail.yardstick_hits) == (20, 0)
    assert tail.p_value < 1e-5


def test_equal_tails_are_no_finding() -> None:
    turns = [{"student": [2.0] * 3 + [9.0], "yardstick": [1.0] * 3 + [9.0]}] * 20
    assert slow_tail(turns, 3).p_value > 0.5
    assert slow_tail([{"student": [1.0] * 4, "yardstick": [1.0] * 4}], 3).p_value == 1.0


def test_a_slower_service_is_interrupted_more_often_and_not_accused_of_it() -> None:
    """A service that works 2.5 times as long meets 2.5 times as many interruptions of 8 ms, now here, now there."""
    for seed in range(40):
        chance = random.Random(seed)

        def asked(ms: float, chance: random.Random = chance) -> float:
            return ms + (8 if chance.random() < 0.05 * ms else 0)

        turns = [
            {"student": [asked(2.5) for _ in "1234"], "yardstick": [asked(1.0) for _ in "1234"]} for _ in range(150)
        ]
        assert slow_tail(turns, 3).p_value > 1e-4
        stalls = [
            {**turn, "student": [60.0, *turn["student"][1:]]} if n % 5 == 0 else turn for n, turn in enumerate(turns)
        ]
        assert slow_tail(stalls, 10).p_value < 1e-4


def test_the_binomial_tail_agrees_with_exact_fractions() -> None:
    for count, share in [(1, Fraction(1, 2)), (18, Fraction(5, 7)), (40, Fraction(1, 3))]:
        for hits in range(count + 1):
            exact = sum(comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(hits, count + 1))
            assert _at_least(hits, count, float(share)) == pytest.approx(float(exact), rel=1e-9)


def test_numpy_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, grader.stats; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    assert auc([0.1, 0.2, 0.8, 0.9], [False, False, True, True]) == 1
    assert auc([0.1, 0.2, 0.8, 0.9], [True, True, False, False]) == 0
    assert auc([0.5] * 6, [True, False] * 3) == 0.5
    chance = random.Random(3)
    scores = [round(chance.random(), 1) for _ in range(200)]
    late = [chance.random() < 0.3 + 0.3 * score for score in scores]
    cases = list(zip(scores, late, strict=True))
    pairs = [(a > b) + (a == b) / 2 for a, x in cases if x for b, y in cases if not y]
    assert auc(scores, late) == pytest.approx(sum(pairs) / len(pairs))
    with pytest.raises(ValueError, match="both kinds"):
        auc([0.1, 0.2], [True, True])
