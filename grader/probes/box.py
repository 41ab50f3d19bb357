"""What a probe holds: one start of the student's image, and what it may ask of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from grader.engines.base import Host, Sandbox, Watch
from grader.probes.inputs import Pool, bodies
from grader.probes.rig import Rig
from grader.records import Json, Start

Options = dict[str, Json]
Probe = Callable[["Box", Options], Json]


@dataclass
class Box:
    """One running start. `watch` counts opens of the model file from before the start on."""

    start: Start
    sandbox: Sandbox
    helper: str
    rig: Rig
    host: Host
    yardstick: str
    pool: Pool
    seed: int
    model_folder: Path
    spare_model: Path
    watch: Watch | None
    ready: dict[str, Json]
    processes: list[dict[str, Json]] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where the service answers."""
        return int(self.ready["port"])

    def bodies(self, count: int, purpose: str) -> list[str]:
        return bodies(self.pool, count, self.seed, f"{self.start.name}:{purpose}")

    def note_processes(self, moment: str) -> None:
        """Record who runs in the sandbox now."""
        _, found = self.host.processes(self.sandbox)
        self.processes += [{"moment": moment, "pid": p.pid, "name": p.name, "uids": list(p.uids)} for p in found]

    def cpu_ms(self) -> float:
        return self.host.cpu_seconds(self.sandbox)[1] * 1000
