"""The classic builder through the engine's own `/build` call, with limits and a watchdog.

docker-py's `build()` can pass neither ulimits nor a parent cgroup, and its timeout is per read, so a
dripping build would never end: the request is posted here and a thread holds the clock.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.engines.base import BuildRequest, Built, OnImage
from grader.engines.building import MARKED, folders_of
from grader.engines.watchdog import MIB, Watchdog
from grader.errors import InfraError
from grader.records import Limits

if TYPE_CHECKING:
    from docker import APIClient

KEPT_LOG = MIB
LINE_LIMIT = 8192
# What the engine lost, not the student.
LOST_IMAGE = re.compile(r"^(No such image|unable to find image|unknown parent image ID|No such container)")
PIDS_GROUP = "/grader-build"
PIDS_MAX = 512
KILLED = 137
STEP = re.compile(r"^Step (\d+)/\d+ : (\w+)")
USING_CACHE = "---> Using cache"
IMAGE = re.compile(r"^ ---> ([0-9a-f]{12})\s*$")


def parameters(request: BuildRequest, parent: str | None) -> dict[str, Any]:
    """The query of the engine's build call."""
    limits = request.limits
    memory = limits.build_memory_mib * MIB
    ulimits = [("fsize", 512 * MIB), ("nofile", 1024), ("core", 0)]
    ulimits += [(MARKED, request.marker)] if request.marker else []
    query = {
        "version": "1",
        "dockerfile": request.dockerfile,
        "t": request.tag,
        "networkmode": "none",
        "pull": "false",
        "rm": "true",
        "forcerm": "true",
        "nocache": str(request.no_cache).lower(),
        "memory": memory,
        "memswap": memory,
        "cpuperiod": 100_000,
        "cpuquota": 100_000,
        "ulimits": json.dumps([{"Name": name, "Soft": value, "Hard": value} for name, value in ulimits]),
    }
    return query | ({"cgroupparent": parent} if parent else {})


def pids_group(info: dict[str, Any]) -> str | None:
    """A parent cgroup that caps the processes of a build, where we may own one (root, cgroup v1)."""
    folder = Path("/sys/fs/cgroup/pids") / PIDS_GROUP.strip("/")
    if str(info.get("CgroupVersion")) != "1" or info.get("CgroupDriver") != "cgroupfs":
        return None
    try:
        folder.mkdir(exist_ok=True)
        limit = folder / "pids.max"
        if limit.read_text().strip() != str(PIDS_MAX):
            limit.write_text(str(PIDS_MAX))
    except OSError:
        return None
    return PIDS_GROUP


class Transcript:
    """What the build printed (its end), the step it reached, the images it made, how it ended."""

    def __init__(self, on_image: OnImage) -> None:
        self._on_image = on_image
        self._stages: list[list[str]] = []
        self.made: set[str] = set()
        self.found: set[str] = set()  # in the cache, and the stages' bases
        self._from_cache = False
        self._lines: list[str] = []
        self._kept = 0
        self.total = 0
        self.step: int | None = None
        self.error: str | None = None
        self.code: int | None = None
        self.image: str | None = None

    def take(self, event: dict[str, Any]) -> None:
        text = str(event.get("stream") or event.get("error") or "")
        self.total += len(text)
        self._follow(text)
        if "error" in event:
            self.error = text[:LINE_LIMIT]
            self.code = (event.get("errorDetail") or {}).get("code")
        if isinstance(event.get("aux"), dict) and "ID" in event["aux"]:
            self.image = event["aux"]["ID"]
        self._keep(text[:LINE_LIMIT])

    def _follow(self, text: str) -> None:
        """Note steps and images. A RUN could print such lines too: a forged id names no image of ours to remove."""
        if step := STEP.match(text):
            self.step = int(step[1])
            if step[2].upper() == "FROM":
                self._stages.append([])
            self._from_cache = False
        elif text.strip() == USING_CACHE:
            self._from_cache = True
        elif (image := IMAGE.match(text)) and self._stages:
            first = not self._stages[-1]  # the stage's base
            made = not first and not self._from_cache
            (self.made if made else self.found).add(image[1])
            if not first:
                self._on_image(image[1], made)
            self._stages[-1].append(image[1])

    @property
    def heads(self) -> tuple[str, ...]:
        return tuple(stage[-1] for stage in self._stages if len(stage) > 1)

    def _keep(self, text: str) -> None:
        self._lines.append(text)
        self._kept += len(text)
        while self._kept > KEPT_LOG:
            self._kept -= len(self._lines.pop(0))

    @property
    def log(self) -> str:
        return "".join(self._lines)


class DockerBuilder:
    def __init__(self, api: APIClient, info: dict[str, Any]) -> None:
        self._api: Any = api  # its public `build` cannot pass what is passed here
        self._data_root = str(info.get("DockerRootDir") or "/")
        self._parent = pids_group(info)
        self.caps_processes = self._parent is not None

    def build(self, request: BuildRequest, on_image: OnImage) -> Built:
        """Build the context; a build that fails or is stopped is a value, an engine that fails an error."""
        with request.context.open("rb") as context:
            response = self._post(request, context)
        transcript = Transcript(on_image)
        if response.status_code == 400:
            message = response.json().get("message", "")[:LINE_LIMIT]
            return Built(None, "refused", message, None, message)
        if response.status_code != 200:
            raise InfraError("engine_refused", doing="build an image", answer=response.text[:500])
        stream = self._api._get_raw_response_socket(response)
        connection = socket.socket(fileno=os.dup(getattr(stream, "_sock", stream).fileno()))
        watchdog = Watchdog(
            connection, request.limits, self._data_root,
            lambda: folders_of(self._api, request.marker, set(transcript.made), set(transcript.found)),
        )  # fmt: skip
        watchdog.start()
        try:
            # In a thread of its own, so that a Ctrl-C does not tear the line: the engine still says what it stored.
            with ThreadPoolExecutor(1) as aside:
                reading = aside.submit(self._read, response, transcript, watchdog, request.limits)
                try:
                    reading.result()
                except BaseException:
                    watchdog.end("left")
                    raise
        finally:
            ended = watchdog.stop()
            response.close()
        return replace(conclude(transcript, watchdog.reason), ended=ended)

    def _post(self, request: BuildRequest, context: Any) -> Any:
        import requests

        try:
            return self._api._post(
                self._api._url("/build"),
                data=context,
                params=parameters(request, self._parent),
                headers={"Content-Type": "application/x-tar"},
                stream=True,
                timeout=request.limits.build_seconds + 30,
            )
        except (requests.RequestException, OSError) as error:
            raise InfraError("engine_gone", doing="build an image") from error

    def _read(self, response: Any, transcript: Transcript, watchdog: Watchdog, limits: Limits) -> None:
        import requests
        import urllib3

        try:
            for event in events(response.raw.stream(65536)):
                transcript.take(event)
                if transcript.total > limits.build_output_mib * MIB:
                    watchdog.end("output")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if watchdog.reason is None:
                raise InfraError("engine_gone", doing="build an image") from error


def events(chunks: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream, one a line; an endless line is cut into what can be read of it."""
    pending = b""
    for chunk in chunks:
        pending += chunk
        *lines, pending = pending.split(b"\n")
        yield from (parse_event(line) for line in lines if line.strip())
        if len(pending) > 4 * MIB:
            yield parse_event(pending)
            pending = b""
    if pending.strip():
        yield parse_event(pending)


def parse_event(line: bytes) -> dict[str, Any]:
    """One line as the engine meant it; a cut one as plain output."""
    with suppress(ValueError, RecursionError):
        found = json.loads(line)
        if isinstance(found, dict):
            return found
    return {"stream": line.decode("utf-8", "replace")}


def conclude(transcript: Transcript, reason: str | None) -> Built:
    """How a build ended, from what it printed and from why it was stopped."""
    if reason == "full":
        raise InfraError("engine_disk_full")
    if reason is not None:
        return Built(None, reason, "", transcript.step, transcript.log, transcript.heads)
    if transcript.error is not None:
        if LOST_IMAGE.match(transcript.error):
            raise InfraError("image_vanished")
        problem = "memory" if transcript.code == KILLED else "failed"
        return Built(None, problem, transcript.error, transcript.step, transcript.log, transcript.heads)
    if transcript.image is None:
        raise InfraError("engine_gone", doing="build an image")
    return Built(transcript.image, None, "", None, transcript.log, transcript.heads)
