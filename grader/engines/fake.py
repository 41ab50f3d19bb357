"""An engine made of a table: what each build, container and driver command is to do is written down beforehand.

Nothing runs. A container is looked up by its command, else by its image; a build by the text of its Dockerfile.
"""

from __future__ import annotations

import itertools
import json
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from grader.engines import base
from grader.engines.base import BuildRequest, Built, ImageInfo, Layer, LayerFile, Process, RunRequest, Sandbox, State
from grader.engines.reaper import Kind
from grader.engines.table import Behaviour, Picture, Refusal, Script, Table
from grader.errors import InfraError
from grader.records import Json

KILLED = 137


class FakeEngine:
    """The table in the shape of an engine. `did` lists what was asked; `gone` makes every call fail."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.label = "fake 1"
        self.cores = 2
        self.gone = False
        self.did: list[tuple[str, str]] = []
        self.started: list[RunRequest] = []
        self.containers: dict[str, FakeSandbox] = {}
        self.volumes: set[str] = set()
        self.builder: base.Builder = FakeBuilder(self)
        self.runner: base.Runner = FakeRunner(self)
        self.images: base.Images = FakeImages(self)
        self.host: base.Host = FakeHost(self)

    def note(self, doing: str, name: str) -> None:
        self.reach(doing)
        self.did.append((doing, name))

    def reach(self, doing: str) -> None:
        if self.gone:
            raise InfraError("engine_gone", doing=doing)

    def remove(self, kind: Kind, name: str) -> None:
        self.note(f"remove {kind}", name)
        if kind == "container":
            self.containers = {key: box for key, box in self.containers.items() if name not in (box.id, box.name)}
        elif kind == "volume":
            self.volumes.discard(name)
        elif kind == "image":
            self.images.remove(name)

    def now(self) -> float:
        self.reach("read the engine's clock")
        return time.time()

    def about(self) -> base.EngineFacts:
        self.reach("read the engine's version")
        return self.table.facts

    def close(self) -> None:
        self.containers.clear()


class FakeBuilder:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def build(self, request: BuildRequest, on_image: base.OnImage) -> Built:
        self._engine.note("build", request.tag)
        with tarfile.open(request.context) as context:
            content = context.extractfile(request.dockerfile)
            text = content.read().decode() if content else ""
        results = self._engine.table.builds[text]
        result = results.pop(0) if len(results) > 1 else results[0]
        if isinstance(result, Built):
            return result
        for head in result.heads:
            on_image(head, True)
        self._engine.table.images |= {result.info.id: result, request.tag: result}
        return Built(result.info.id, None, "", None, "Successfully built\n", result.heads)


class FakeRunner:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)

    def start(self, request: RunRequest) -> Sandbox:
        self._engine.note("start", request.name)
        self._engine.started.append(request)
        joined = request.network.partition("container:")[2]
        if joined and not self._engine.containers[joined].state().running:
            raise InfraError("engine_refused", doing="start a container", answer="cannot join a stopped container")
        script = self._script(request)
        behaviour = script(request) if callable(script) else script
        box = FakeSandbox(self._engine, f"{next(self._numbers):064x}", request.name, behaviour)
        self._engine.containers[box.id] = box
        return box

    def _script(self, request: RunRequest) -> Script:
        table = self._engine.table.containers
        return table.get(request.command or ()) or table.get(request.image) or Behaviour()

    def create_volume(self, name: str, mib: int = 1, inodes: int = 0) -> None:
        self._engine.note("create volume", name)
        self._engine.volumes.add(name)

    def remove_volume(self, name: str) -> None:
        self._engine.note("remove volume", name)
        self._engine.volumes.discard(name)


class FakeSandbox:
    def __init__(self, engine: FakeEngine, identity: str, name: str, behaviour: Behaviour) -> None:
        self._engine = engine
        self.id = identity
        self.name = name
        self.behaviour = behaviour
        self.cpu = 0.0
        self._began = time.monotonic()
        self._ended: int | None = None

    def state(self) -> State:
        self._present("inspect a container")
        over = self.behaviour.exit_code is not None and time.monotonic() - self._began >= self.behaviour.seconds
        if self._ended is None and over:
            self._ended = self.behaviour.exit_code
        return State(self._ended is None, self._ended, self.behaviour.oom and self._ended is not None)

    def wait(self, seconds: float) -> State:
        """The state after at most `seconds`, without waiting for what the table says will not happen."""
        left = self._began + self.behaviour.seconds - time.monotonic()
        if self.behaviour.exit_code is not None and left > 0:
            time.sleep(min(seconds, left))
        return self.state()

    def starved(self) -> bool:
        self._present("read a container's events")
        return self.behaviour.oom

    def signal(self, name: str) -> None:
        self._engine.note(name, self.name)
        if self.state().running:
            self._ended = {"SIGKILL": KILLED, **dict(self.behaviour.ends_on)}.get(name)

    def log(self, limit: int = 65536) -> str:
        self._present("read a container's log")
        return self.behaviour.output.encode()[-limit:].decode("utf-8", "replace")

    def attach(self) -> FakeChannel:
        self._present("attach to a container")
        return FakeChannel(self._engine)

    def remove(self) -> None:
        self._engine.remove("container", self.id)

    def _present(self, doing: str) -> None:
        self._engine.reach(doing)
        if self.id not in self._engine.containers:
            raise InfraError("engine_refused", doing=doing, answer="no such container")


class FakeChannel:
    """The driver's end of the line: every command is answered from the table; one it does not know, never."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._answers: list[bytes] = []

    def send(self, line: bytes) -> None:
        command: dict[str, Json] = json.loads(line)
        self._engine.note("driver", command["op"])
        if command["op"] not in self._engine.table.driver:
            return
        reply = self._engine.table.driver[command["op"]]
        result = reply(command) if callable(reply) else reply
        answer = {"error": result.problem} if isinstance(result, Refusal) else {"result": result}
        self._answers.append(json.dumps(answer).encode())

    def receive(self, deadline: float, limit: int = base.LINE_BYTES) -> bytes:
        if not self._answers:
            raise InfraError("driver_silent")
        return self._answers.pop(0)

    def close(self) -> None:
        self._answers.clear()


class FakeImages:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    @property
    def _held(self) -> dict[str, Picture]:
        self._engine.reach("inspect an image")
        return self._engine.table.images

    def find(self, reference: str) -> ImageInfo | None:
        found = self._held.get(reference)
        return found.info if found else None

    def layers(self, image: str, base: str) -> tuple[Layer, ...]:
        below = len(self._held[base].layers)
        return tuple(replace(layer, own=index >= below) for index, layer in enumerate(self._held[image].layers))

    def load(self, archive: BinaryIO) -> None:
        """Take over the names of a docker-archive; its layers are not looked at."""
        self._engine.reach("load an image")
        with tarfile.open(fileobj=archive) as tar:
            content = tar.extractfile("manifest.json")
            rows = json.load(content) if content else []
        for row in rows:
            digest = f"sha256:{row['Config'].removesuffix('.json')}"
            picture = Picture(ImageInfo(digest, 0, "", (), (), (), (), ()))
            self._engine.table.images |= dict.fromkeys((digest, *row["RepoTags"]), picture)

    def tag(self, image: str, reference: str) -> None:
        self._held[reference] = self._held[image]

    def remove(self, reference: str) -> None:
        gone = self._held.pop(reference, None)
        if gone is None or (reference != gone.info.id and any(tag for tag, _ in self._tags(gone))):
            return
        self._engine.table.images = {name: other for name, other in self._held.items() if other.info.id != gone.info.id}

    def list(self, prefix: str) -> tuple[tuple[str, str], ...]:
        every = [pair for picture in self._held.values() for pair in self._tags(picture)]
        return tuple(sorted({pair for pair in every if pair[0].startswith(prefix)}))

    def _tags(self, picture: Picture) -> Iterator[tuple[str, str]]:
        identity = picture.info.id
        return ((name, identity) for name, other in self._held.items() if other.info.id == identity != name)


class FakeWatch:
    def __init__(self, counts: Sequence[int]) -> None:
        self._counts = iter(counts)

    def opens(self) -> int:
        return next(self._counts, 0)

    def close(self) -> None:
        self._counts = iter(())


class FakeHost:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def processes(self, sandbox: Sandbox) -> tuple[str, tuple[Process, ...]]:
        box = self._engine.containers[sandbox.id]
        return "table", box.behaviour.processes if box.state().running else ()

    def cpu_seconds(self, sandbox: Sandbox) -> tuple[str, float]:
        self._engine.reach("read a container's counters")
        box = self._engine.containers[sandbox.id]
        box.cpu += box.behaviour.cpu_step
        return "table", box.cpu

    def watch(self, folder: Path, name: str) -> FakeWatch | None:
        return FakeWatch(self._engine.table.opens) if self._engine.table.opens is not None else None

    def layer_files(self, image: str, layers: tuple[Layer, ...]) -> tuple[str, Iterator[LayerFile]]:
        self._engine.reach("inspect an image")
        return "table", iter(self._engine.table.images[image].files)


if TYPE_CHECKING:
    _: base.Engine = FakeEngine(Table())  # so that the type checker says when the seam has moved on
