"""The requests that the lab's own `inputs.py` made, each on a connection of its own, in an order of the seed's."""

from __future__ import annotations

import random
import time

from grader.probes.box import Box, Options
from grader.records import Json

SPREAD_MS = 20.0


def exchanges(box: Box, options: Options) -> Json:
    """By name, in the order in which they were made: each request with the answer to it.

    Each name has its share of the phase, so that whoever hangs on one kind of request is still asked the others.
    """
    chance = random.Random(f"{box.seed}:{box.start.name}:exchanges")
    deadline = time.monotonic() + box.rig.limits.phase_seconds
    pause = float(options.get("spread_ms", SPREAD_MS)) / 1000
    names = chance.sample(sorted(box.start.requests), len(box.start.requests))
    found: dict[str, list[dict[str, Json]]] = {}
    for done, name in enumerate(names):
        made = [request.model_dump(mode="json") for request in box.start.requests[name]]
        order = chance.sample(range(len(made)), len(made))
        sent = [made[index] | {"pause": chance.uniform(0, pause)} for index in order]
        share = max(0.0, deadline - time.monotonic()) / (len(names) - done)
        answers = dict(zip(order, box.rig.send(box.helper, box.port, sent, share, len(names)), strict=True))
        found[name] = [{"request": request, "ms": None} | answers[index] for index, request in enumerate(made)]
    return {name: found[name] for name in box.start.requests}
