"""Statistics of small samples, in plain Python: this package must import at once."""

from __future__ import annotations

import math
from collections.abc import Sequence


def median(samples: Sequence[float]) -> float:
    """The middle of `samples`, the mean of the two middle ones where their number is even."""
    return quantile(samples, 0.5)


def quantile(samples: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of `samples` lies, between two samples by straight line, as numpy does."""
    if not samples:
        raise ValueError("no samples")
    if not 0 <= share <= 1:
        raise ValueError("a share lies between 0 and 1")
    ordered = sorted(samples)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    # Never outside the two, which rounding could do, and exact where they are equal.
    value = ordered[below] + (ordered[above] - ordered[below]) * (place - below)
    return min(max(value, ordered[below]), ordered[above])


def spread(values: Sequence[float], level: float = 0.9) -> tuple[float, float]:
    """The narrowest pair of order statistics that holds the true median with a chance of at least `level`.

    No shape is assumed, only that the values are independent: the number of values below the true median is then
    binomial with one half. With fewer than five values the pair is their lowest and highest, and says less.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    size, cut, tail = len(ordered), 0, 1
    while cut + 1 < (size + 1) // 2:
        wider = tail + math.comb(size, cut + 1)
        if 1 - 2 * wider / 2**size < level:
            break
        cut, tail = cut + 1, wider
    return ordered[cut], ordered[-1 - cut]
