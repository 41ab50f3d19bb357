"""Values that no form asks for, put anywhere into one."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

ODD: list[Any] = [
    None, True, 0, -1, 1e300, 10**400, float("nan"), float("inf"), "x", "", "x" * 10_000, [], [[]], {}, {"a": {}},
    [None] * 360, [10**400] * 10, ["1"] * 7, {"L02.B4": []},
]  # fmt: skip


def disturbed(value: Any, chance: Random) -> Any:
    """A copy of JSON data with one value, somewhere, turned into something odd."""
    holder = [copy.deepcopy(value)]
    place: Any = holder
    key: Any = 0
    while isinstance(place[key], dict | list) and place[key] and chance.random() < 0.8:
        place = place[key]
        key = chance.choice(sorted(place)) if isinstance(place, dict) else chance.randrange(len(place))
    place[key] = chance.choice(ODD)
    return holder[0]
