"""The TCP ports that the image would expose, as far as they are written down."""

from __future__ import annotations

import re

from grader.dockerfile import scope
from grader.dockerfile.tree import Dockerfile

PORTS = 32
_PORT = re.compile(r"(?i)(\d{1,5})(?:-(\d{1,5}))?(?:/tcp)?")


def exposed_ports(dockerfile: Dockerfile) -> tuple[int, ...]:
    """The ports that EXPOSE names in the last stage and in those it builds on, at most 32, in their order."""
    stages = scope.resolve(dockerfile.parsed)
    stage, steps = stages[-1], list(stages[-1].steps)
    while stage.parent is not None:
        stage = stages[stage.parent]
        steps = [*stage.steps, *steps]
    found: dict[int, None] = {}
    for step in steps:
        if step.instruction.keyword == "EXPOSE":
            for text in step.instruction.words:
                port = scope.word(text, step.state, step.instruction, dockerfile.parsed.escape)
                found |= dict.fromkeys(_ports(port))
    return tuple(found)[:PORTS]


def _ports(text: str) -> range:
    """The ports of `8000`, `8000/tcp` or `8000-8010`; none where it says something else."""
    match = _PORT.fullmatch(text)
    if match is None:
        return range(0)
    first, last = int(match[1]), int(match[2] or match[1])
    return range(max(first, 1), min(last, first + PORTS, 65_535) + 1)
