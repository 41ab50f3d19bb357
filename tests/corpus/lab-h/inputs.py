"""The hidden requests of the reference lab."""

from __future__ import annotations

import json
from random import Random

from grader.checks import Request, inputs

VECTORS, WHOLE = 25, 5
FAR = 1.0  # of y from 0, so that a constant earns nothing


@inputs("health")
def health(chance: Random) -> list[Request]:
    return [Request(method="GET", path="/health")]


@inputs("predict")
def predict(chance: Random) -> list[Request]:
    """Vectors with three decimals, a few of whole numbers."""
    found: list[Request] = []
    while len(found) < VECTORS:
        digits = 0 if len(found) < WHOLE else 3
        a, b, c = (round(chance.uniform(-20, 20), digits) for _ in range(3))
        if abs(2 * a - 3 * b + 0.5 * c + 1) >= FAR:
            numbers = [int(v) if digits == 0 else v for v in (a, b, c)]
            found.append(Request(body=json.dumps({"x": numbers})))
    return found


@inputs("errors")
def errors(chance: Random) -> list[Request]:
    a, b, c = (round(chance.uniform(-20, 20), 2) for _ in range(3))
    bodies = [{"x": [a, b]}, {"x": [a, b, c, a]}, {"x": [a, "b", c]}, {"z": [a, b, c]}]
    return [*(Request(body=json.dumps(body)) for body in bodies), Request(body=f'{{"x": [{a}, {b},')]
