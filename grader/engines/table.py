"""What the fake engine is told: how each build ends, what each container does, what the driver answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from grader.engines.base import Built, EngineFacts, ImageInfo, Layer, LayerFile, Process, RunRequest
from grader.records import Json


@dataclass(frozen=True)
class Behaviour:
    """What a container does. `exit_code` None: it runs until a signal that `ends_on` names, or SIGKILL."""

    exit_code: int | None = None
    seconds: float = 0.0
    oom: bool = False
    output: str = ""
    ends_on: tuple[tuple[str, int], ...] = ()
    processes: tuple[Process, ...] = ()
    cpu_step: float = 0.01  # CPU seconds between two looks


@dataclass(frozen=True)
class Picture:
    """An image: its configuration, its layers bottom first, the files of its own layers."""

    info: ImageInfo
    layers: tuple[Layer, ...] = ()
    files: tuple[LayerFile, ...] = ()
    heads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """A driver command that is answered by an error."""

    problem: str


Script = Behaviour | Callable[[RunRequest], Behaviour]
Reply = Json | Refusal | Callable[[dict[str, Json]], Json]


@dataclass
class Table:
    """All that will happen. Several results of one Dockerfile are given out in turn, the last one for ever."""

    images: dict[str, Picture] = field(default_factory=dict)
    builds: dict[str, list[Picture | Built]] = field(default_factory=dict)
    containers: dict[str | tuple[str, ...], Script] = field(default_factory=dict)
    driver: dict[str, Reply] = field(default_factory=dict)
    opens: Sequence[int] | None = None  # what a watch counts, look by look; None: no file events here
    facts: EngineFacts = field(default_factory=lambda: EngineFacts("fake", {"engine": "1", "kernel": "1"}))
