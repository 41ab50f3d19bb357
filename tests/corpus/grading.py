"""One grading as a process of its own: how it ended, what it took, and what it wrote down that it would make."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
GIVE_UP_SECONDS = 90.0  # past a case's bound: a grader that hangs is ended by the harness, and has failed


@dataclass
class Trace:
    """What a run's ledger said and its folders held while it went on."""

    made: set[tuple[str, str]] = field(default_factory=set)  # kind and name
    ids: dict[str, str] = field(default_factory=dict)  # the engine's id of a name
    written_mib: float = 0.0
    members: int = 0
    log_mib: float = 0.0
    data_root_mib: float = 0.0

    def names(self, kind: str) -> set[str]:
        return {name for of, name in self.made if of == kind}


@dataclass
class Graded:
    code: int
    seconds: float
    peak_mib: float
    stdout: bytes
    stderr: bytes
    executed: list[str]
    runs: Path
    trace: Trace

    @property
    def reports(self) -> list[Path]:
        return sorted(path for path in self.runs.glob("*/*/report.json") if path.parts[-3] not in ("active", "work"))


class Follower(threading.Thread):
    """Reads the ledger and looks at the folders of a living run, many times a second."""

    def __init__(self, runs: Path, data_root: Path, seen: Mapping[str, dict[str, Any]]) -> None:
        super().__init__(daemon=True)
        self.trace = Trace()
        self._runs = runs
        self._root = data_root
        self._seen = seen  # what the engine says of each container, by its id
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.02):
            self.look()

    def look(self) -> None:
        for ledger in self._runs.glob("active/*/resources.jsonl"):
            with suppress(OSError):
                self._read(ledger.read_bytes())
        sizes = list(file_sizes(self._runs / "work"))
        trace = self.trace
        trace.members = max(trace.members, len(sizes))
        trace.written_mib = max(trace.written_mib, sum(sizes) / MIB)
        ids = list(trace.ids.values())
        logs = {identity: sum(file_sizes(self._root / "containers" / identity)) / MIB for identity in ids}
        trace.log_mib = max([trace.log_mib, *logs.values()])
        kept = sum(sum(file_sizes(folder)) for identity in ids for folder in self._folders(identity))
        trace.data_root_mib = max(trace.data_root_mib, kept / MIB + sum(logs.values()))

    def _folders(self, identity: str) -> list[Path]:
        """Where on the engine's disk a container of the run may write; nobody else's writing is counted."""
        found = self._seen.get(identity, {})
        upper = (found.get("GraphDriver") or {}).get("Data") or {}
        volumes = [mount["Source"] for mount in found.get("Mounts") or () if mount["Type"] == "volume"]
        return [Path(place) for place in (upper.get("UpperDir"), *volumes) if place]

    def _read(self, rows: bytes) -> None:
        for line in rows.split(b"\n"):
            with suppress(ValueError, KeyError):
                row = json.loads(line)
                self.trace.made.add((row["kind"], row["name"]))
                if "id" in row:
                    self.trace.ids[row["name"]] = row["id"]

    def stop(self) -> Trace:
        self._done.set()
        self.join()
        return self.trace


def file_sizes(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield size_of(Path(parent, name))


def size_of(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def grade(
    lab: Path, submission: Path, runs: Path, seed: int, bound: float, follower: Follower, environment: dict[str, str]
) -> Graded:
    """Grade the submission with its results and temporary files below `runs`, a new folder."""
    temporary = runs / "tmp"
    temporary.mkdir(parents=True)
    heard = runs.with_name(f"{runs.name}.heard")
    foreign = f"{submission}:{runs / 'work'}"
    command = [sys.executable, "-m", "tests.corpus.launch", str(heard), foreign, "--"]
    command += ["run", str(lab), str(submission), "--fresh", "--lang", "en", "--engine", "docker", "--seed", str(seed)]
    places = {"GRADER_RUNS": str(runs), "GRADER_HOME": str(ROOT), "TMPDIR": str(temporary)}
    environ = {**os.environ, **environment, **places}
    out, err = runs.with_name(f"{runs.name}.out"), runs.with_name(f"{runs.name}.err")
    follower.start()
    started = time.monotonic()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": stderr}
        process = subprocess.Popen(command, cwd=ROOT, env=environ, **streams)
        code, peak = wait(process, started + bound + GIVE_UP_SECONDS)
    seconds = time.monotonic() - started
    trace = follower.stop()
    executed = heard.read_text().splitlines() if heard.exists() else ["the interpreter was never listened to"]
    return Graded(code, seconds, peak, out.read_bytes(), err.read_bytes(), executed, runs, trace)


def wait(process: subprocess.Popen[bytes], deadline: float) -> tuple[int, float]:
    """The exit code and the largest resident size of the process or of one that it started, in MiB.

    Read while it runs: what the kernel reports at the end starts at the size of whoever started it.
    """
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, *(resident_mib(pid) for pid in family(process.pid)))
        if time.monotonic() > deadline:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.02)
    return process.returncode, peak


def family(pid: int) -> list[int]:
    """A process and those that it started."""
    with suppress(OSError):
        started = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(other for child in started for other in family(int(child)))]
    return [pid]


def resident_mib(pid: int) -> float:
    """The most that a living process ever had in memory; 0 when it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0
