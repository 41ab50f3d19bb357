"""The seam for one-shot jobs: a Python program over files in four rooms, and what came of it.

A program is arguments after `python`, in which `{work}`, `{data}`, `{lab}` and `{out}` stand for the rooms' paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

ROOMS = ("work", "data", "lab", "out")  # the submission's copy, given files, trusted scripts, results
LOG_BYTES = 64 * 1024
FLOOD_BYTES = 64 * 1024 * 1024  # printed by one job: above it, the job is stopped

Problem = Literal["exit", "timeout", "memory", "output", "killed", "disk"]
OutputProblem = Literal["missing", "link", "special", "too_large"]


@dataclass(frozen=True)
class Job:
    """One program to be run once. `files`: room -> relative name -> content; only `take` comes back from {out}.

    `seconds` of wall clock; `request` is one line for its standard input. A job that takes nothing is ours: it
    gets no volumes of its own and no trusted holder beside it.
    """

    program: tuple[str, ...]
    files: Mapping[str, Mapping[str, bytes | Path]]
    seconds: float
    memory_mib: int = 2048
    pids: int = 512
    cpus: float = 2
    out_mib: int = 64
    out_files: int = 4096
    env: Mapping[str, str] = field(default_factory=dict)
    stdout_bytes: int = 1 << 20
    take: tuple[str, ...] = ()
    request: bytes | None = None


@dataclass(frozen=True)
class Output:
    """One file that was asked for: where its bytes are kept (None with a `problem`), how many, and their digest."""

    size: int
    sha256: str | None
    problem: OutputProblem | None
    path: Path | None


@dataclass(frozen=True)
class Done:
    """How a job ended. `exit_code` is negative for a signal, None where it was stopped; `log` its last 64 KiB."""

    problem: Problem | None
    exit_code: int | None
    seconds: float
    stdout: bytes = field(repr=False)
    log: str = field(repr=False)
    outputs: Mapping[str, Output]
    others: tuple[str, ...]


class Workroom(Protocol):
    """Where jobs run. `boundary` says whether it holds hostile code; `identity` names what a result depends on.

    `do` raises `InfraError` when the machine or the engine fails; what a program does wrong is a `Done`.
    """

    label: str
    boundary: bool
    identity: str

    def do(self, job: Job, keep: Path) -> Done:
        """Run the job; the files it takes are kept in the new folder `keep`, under the names of `job.take`."""
        ...

    def close(self) -> None: ...
    def __enter__(self) -> Workroom: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
