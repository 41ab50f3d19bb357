"""What a build has on the engine while it runs: its containers, and the folders of the layers it writes."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.engines.trouble import engine_errors

if TYPE_CHECKING:
    from docker import APIClient

# A ulimit that no build needs carries the build's marker: the classic builder lets nothing else of ours be seen on
# its containers, and takes no part of it into the layer cache's keys.
MARKED = "msgqueue"
MARKERS = 819_200  # the kernel's default for it: a higher one would take a capability


def new_marker() -> int:
    return 1 + secrets.randbelow(MARKERS - 1)


def containers_of(api: APIClient, marker: int) -> list[dict[str, Any]]:
    """What the engine says of each container that its builder made for the build with this marker."""
    from docker.errors import NotFound

    found = []
    with engine_errors("list containers"):
        for row in api.containers(all=True):
            with suppress(NotFound):
                found.append(api.inspect_container(row["Id"]))
    return [each for each in found if (MARKED, marker) in limits_of(each)]


def limits_of(container: dict[str, Any]) -> list[tuple[str, int]]:
    return [(limit["Name"], limit["Hard"]) for limit in container["HostConfig"].get("Ulimits") or ()]


def folders_of(api: APIClient, marker: int, made: Iterable[str], found: Iterable[str]) -> set[Path]:
    """The layers that a build has written so far: of its containers and of the images it made, not of those it found.

    Raises LookupError for a build without a marker, and where the engine keeps layers in another way than overlay2.
    """
    if not marker:
        raise LookupError("this build has no marker")
    containers = {layer(container) for container in containers_of(api, marker)}
    return containers | layers(api, made) - layers(api, found)


def layers(api: APIClient, names: Iterable[str]) -> set[Path]:
    from docker.errors import NotFound

    folders = set()
    for name in names:
        with engine_errors("look at an image"), suppress(NotFound):
            folders.add(layer(api.inspect_image(name)))
    return folders


def layer(found: dict[str, Any]) -> Path:
    """Where overlay2 keeps the newest layer of what was inspected."""
    return Path(found["GraphDriver"]["Data"]["UpperDir"])
