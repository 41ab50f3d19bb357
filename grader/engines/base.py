"""The seam to a container engine: build an image, start a sandbox, look at both from the host.

Every engine (`docker`, `fake`) passes tests/conformance. Methods raise `InfraError` when the engine
itself is at fault; a student's failure is a value (`Built.problem`, `State.exit_code`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from grader.engines.reaper import Kind
from grader.records import Limits

LINE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class BuildRequest:
    """A context tar that the grader made, with the canonical Dockerfile inside under `dockerfile`."""

    context: Path
    dockerfile: str
    tag: str
    limits: Limits
    no_cache: bool = False
    marker: int = 0  # by which the engine's own containers of this build can be found, when it is left behind


@dataclass(frozen=True)
class Built:
    """`image` is the id, or None with `problem`: failed | refused | timeout | memory | output | disk | size.

    `step` is the 1-based canonical instruction that failed, where known; `log` at most 1 MiB. `heads` are the
    ids of the last image of each stage reached: to name them is to keep the layer cache. `ended` is whether the engine
    is known to be done with it: one that was hung up on may still be storing a layer.
    """

    image: str | None
    problem: str | None
    message: str
    step: int | None
    log: str
    heads: tuple[str, ...] = ()
    ended: bool = True


@dataclass(frozen=True)
class RunRequest:
    """Everything a container is started with; what is not here does not exist for the grader.

    `model_folder` is bound read-only at /models. `volumes` maps a named volume to (path, mode). `stdin` and
    `command` are for our own images only. `user` None keeps the image's own.
    """

    image: str
    name: str
    trusted: bool = False
    command: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    model_folder: Path | None = None
    volumes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    network: str = "none"
    user: str | None = None
    cap_add: tuple[str, ...] = ()
    default_caps: bool = False
    init: bool = True
    stdin: bool = False
    cpuset: str | None = None
    memory_mib: int = 512
    pids: int = 256
    cpus: float = 1
    fsize_mib: int = 64


@dataclass(frozen=True)
class State:
    running: bool
    exit_code: int | None = None
    oom: bool = False
    error: str = ""  # why the engine could not start the image's command


@dataclass(frozen=True)
class Process:
    """One process of a sandbox; `uids` are real, effective, saved, as numbers of the container."""

    pid: int
    name: str
    uids: tuple[int, int, int]


@dataclass(frozen=True)
class Layer:
    """One non-empty layer, bottom first. `created` is the engine's timestamp in seconds."""

    diff_id: str
    size: int
    created: float
    created_by: str
    own: bool  # not part of the course base


@dataclass(frozen=True)
class LayerFile:
    layer: int
    path: str
    size: int


@dataclass(frozen=True)
class ImageInfo:
    id: str
    size: int
    user: str
    command: tuple[str, ...]
    entrypoint: tuple[str, ...]
    ports: tuple[str, ...]
    volumes: tuple[str, ...]
    diff_ids: tuple[str, ...]


@dataclass(frozen=True)
class EngineFacts:
    """What an engine says of itself. `builds` names the package or commit of a component, where it is told.

    `lacking` are the limits that it cannot set; `build_pids` caps the processes of a build, None where nothing does.
    """

    identity: str
    versions: Mapping[str, str]  # engine, containerd, runc, kernel
    builds: Mapping[str, str] = field(default_factory=dict)
    system: str = ""
    cgroup: int | None = None
    rootless: bool = False
    userns: bool = False
    seccomp: bool = True
    lacking: tuple[str, ...] = ()
    build_pids: int | None = None


class Channel(Protocol):
    """Lines to and from a trusted container's standard input and output."""

    def send(self, line: bytes) -> None: ...
    def receive(self, deadline: float, limit: int = LINE_BYTES) -> bytes:
        """The next line, at most `limit` bytes. Raises `InfraError` past `deadline` (monotonic) or at the end."""
        ...

    def close(self) -> None: ...


class Sandbox(Protocol):
    """One started container."""

    id: str
    name: str

    def state(self) -> State: ...
    def wait(self, seconds: float) -> State: ...
    def starved(self) -> bool:
        """Whether a process of it was killed for memory, which need not have ended the others."""
        ...

    def signal(self, name: str) -> None: ...
    def log(self, limit: int = 65536) -> str: ...
    def attach(self) -> Channel: ...
    def remove(self) -> None: ...


OnImage = Callable[[str, bool], None]


class Builder(Protocol):
    def build(self, request: BuildRequest, on_image: OnImage) -> Built:
        """Build; `on_image` hears each intermediate image as soon as the engine names it.

        It gets the id and whether this build made the image: one from the layer cache may be anybody's.
        """
        ...


class Runner(Protocol):
    def start(self, request: RunRequest) -> Sandbox: ...
    def create_volume(self, name: str, mib: int = 1, inodes: int = 0) -> None:
        """A volume in memory that only uid 65534 may enter; `inodes` 0 sets no ceiling on the number of files."""
        ...

    def remove_volume(self, name: str) -> None: ...


class Images(Protocol):
    def find(self, reference: str) -> ImageInfo | None: ...
    def layers(self, image: str, base: str) -> tuple[Layer, ...]: ...
    def load(self, archive: BinaryIO) -> None: ...
    def tag(self, image: str, reference: str) -> None: ...
    def remove(self, reference: str) -> None: ...
    def list(self, prefix: str) -> tuple[tuple[str, str], ...]: ...


class Watch(Protocol):
    """Counts the opens of one file since the last call."""

    def opens(self) -> int: ...
    def close(self) -> None: ...


class Host(Protocol):
    """What is read from the host, each with the name of the way that was used."""

    def processes(self, sandbox: Sandbox) -> tuple[str, tuple[Process, ...]]: ...
    def cpu_seconds(self, sandbox: Sandbox) -> tuple[str, float]: ...
    def watch(self, folder: Path, name: str) -> Watch | None: ...
    def layer_files(self, image: str, layers: tuple[Layer, ...]) -> tuple[str, Iterator[LayerFile]]: ...


class Engine(Protocol):
    """One container engine: its four parts and its name for the report ("docker 20.10.24")."""

    label: str
    builder: Builder
    runner: Runner
    images: Images
    host: Host
    cores: int

    def now(self) -> float:
        """The engine's own clock, in seconds since the epoch: the one that stamps layers."""
        ...

    def about(self) -> EngineFacts:
        """Versions and kind of installation."""
        ...

    def remove(self, kind: Kind, name: str) -> None:
        """Remove one resource by id or name; what is already gone is a success."""
        ...

    def close(self) -> None: ...
