"""The ports and volumes that the image would declare, as far as they are written down."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from grader.dockerfile import scope
from grader.dockerfile.tree import Dockerfile

PORTS, VOLUMES = 32, 8
# What the base holds, or what a container gets anyway: a memory disk there would hide it.
_SYSTEM = re.compile(r"/|/(?:opt|root|var)|/(?:bin|boot|dev|etc|lib\w*|models|proc|run|sbin|sys|tmp|usr)(?:/.*)?")
_PORT = re.compile(r"(?i)(\d{1,5})(?:-(\d{1,5}))?(?:/tcp)?")


def exposed_ports(dockerfile: Dockerfile) -> tuple[int, ...]:
    """The ports that EXPOSE names in the last stage and in those it builds on, at most 32, in their order."""
    found = (port for text in _declared(dockerfile, "EXPOSE") for port in _ports(text))
    return tuple(dict.fromkeys(found))[:PORTS]


def volume_paths(dockerfile: Dockerfile) -> tuple[str, ...]:
    """The folders that VOLUME names there, absolute and normal; not those of the system itself."""
    paths = (
        "/" + posixpath.normpath(posixpath.join("/", text)).lstrip("/") for text in _declared(dockerfile, "VOLUME")
    )
    return tuple(dict.fromkeys(path for path in paths if not _SYSTEM.fullmatch(path)))[:VOLUMES]


def _declared(dockerfile: Dockerfile, keyword: str) -> Iterator[str]:
    """The words of an instruction, in the last stage and in those it builds on."""
    stages = scope.resolve(dockerfile.parsed)
    stage, steps = stages[-1], list(stages[-1].steps)
    while stage.parent is not None:
        stage = stages[stage.parent]
        steps = [*stage.steps, *steps]
    for step in steps:
        if step.instruction.keyword == keyword:
            for text in step.instruction.words:
                yield scope.word(text, step.state, step.instruction, dockerfile.parsed.escape)


def _ports(text: str) -> range:
    """The ports of `8000`, `8000/tcp` or `8000-8010`; none where it says something else."""
    match = _PORT.fullmatch(text)
    if match is None:
        return range(0)
    first, last = int(match[1]), int(match[2] or match[1])
    return range(max(first, 1), min(last, first + PORTS, 65_535) + 1)
