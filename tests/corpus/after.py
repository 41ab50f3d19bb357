"""What a run may leave behind: nothing, anywhere."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.corpus.grading import MIB, Graded
from tests.corpus.watcher import marks

if TYPE_CHECKING:
    from docker import APIClient

CLEAR_SECONDS = 60.0


def cleared(api: APIClient, graded: Graded) -> tuple[dict[str, list[str]], dict[str, float]]:
    """What is still there after a minute of waiting, by kind; and after how long each kind was gone."""
    started = time.monotonic()
    gone: dict[str, float] = {}
    while True:
        found = {"engine": on_the_engine(api, graded), "files": files(graded), "processes": processes(graded)}
        passed = time.monotonic() - started
        for kind, rest in found.items():
            if rest:
                gone.pop(kind, None)
            else:
                gone.setdefault(kind, round(passed, 2))
        if not any(found.values()) or passed > CLEAR_SECONDS:
            return {kind: rest for kind, rest in found.items() if rest}, gone
        time.sleep(0.25)


def on_the_engine(api: APIClient, graded: Graded) -> list[str]:
    """Containers, volumes, networks and images of the run."""
    trace = graded.trace
    markers = {int(marker) for marker in trace.names("building")}
    token = {"-".join(name.split("-")[:2]) for name in trace.names("container") | trace.names("volume")}
    left: list[str] = []
    for row in api.containers(all=True):
        named = any(name.startswith(f"/{own}-") for own in token for name in row["Names"])
        ours = named or row["Id"] in trace.ids.values()
        if not ours and markers:
            with suppress(Exception):  # gone meanwhile
                ours = bool(markers & marks(api.inspect_container(row["Id"])["HostConfig"]))
        left += [f"container {next(iter(row['Names']), row['Id'])}"] if ours else []
    left += [f"volume {row['Name']}" for row in api.volumes()["Volumes"] or () if row["Name"] in trace.names("volume")]
    left += [f"network {row['Name']}" for row in api.networks() if any(row["Name"].startswith(own) for own in token)]
    tags = {tag for row in api.images() for tag in row["RepoTags"] or ()}
    left += [f"image {tag}" for tag in sorted(tags & trace.names("image"))]
    loose = {row["Id"].removeprefix("sha256:")[:12] for row in api.images(filters={"dangling": True})}
    left += [f"image {identity}" for identity in sorted(loose & {name[:12] for name in trace.names("build")})]
    return left


def kept_mib(api: APIClient, graded: Graded) -> float:
    """How much of the engine's disk the run has filled for good: the layers that it leaves in the cache."""
    from docker.errors import ImageNotFound

    total = 0
    for name in graded.trace.names("build"):
        with suppress(ImageNotFound):
            image = api.inspect_image(name)
            total += image["Size"] - (api.inspect_image(image["Parent"])["Size"] if image.get("Parent") else 0)
    return total / MIB


def files(graded: Graded) -> list[str]:
    """Temporary files, working folders and ledgers."""
    folders = [graded.runs / name for name in ("active", "work", "tmp")]
    return [str(path) for folder in folders if folder.is_dir() for path in folder.iterdir()]


def processes(graded: Graded) -> list[str]:
    """The grader's own processes and those in its containers."""
    marks = [str(graded.runs).encode(), *(identity.encode() for identity in graded.trace.ids.values())]
    left: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                about = (entry / "cgroup").read_bytes() + (entry / "environ").read_bytes()
                if any(mark in about for mark in marks):
                    left.append(f"{entry.name} {(entry / 'comm').read_text().strip()}")
    return left
