"""Jobs in containers: no network, no rights, read-only root, everything capped, used once and thrown away.

A job that takes files gets two containers. The student's holds the program; a trusted holder keeps the volumes, fills
them before and reads the results after, once the student's container is removed and nothing can move any more.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from grader.engines.base import Channel, RunRequest, Sandbox
from grader.engines.owned import Owned
from grader.errors import InfraError
from grader.records import Json
from grader.workrooms.base import ROOMS, Done, Job, Output, Problem
from grader.workrooms.talk import MIB, done, job_message, keep_file, longest_answer, parse, silent, source

NOBODY = "65534:65534"
PATHS = {room: f"/{room}" for room in ROOMS}
SIZES = {"work": 160, "data": 64, "lab": 32}  # MiB; {out} is as large as the job says
INODES = {"work": 8192, "data": 4096, "lab": 1024}
READ_ONLY = ("data", "lab")
HOME = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "IPYTHONDIR": "/tmp/ipython"}
SLACK_SECONDS = 5.0
HOLDER_SECONDS = 60.0
HOLDER_MIB = 384
PIECE = MIB


@dataclass(frozen=True)
class Size:
    """What is fixed when a sandbox is made, before its job is known."""

    memory_mib: int
    pids: int
    cpus: float
    out_mib: int
    out_files: int

    @classmethod
    def of(cls, job: Job) -> Size:
        return cls(job.memory_mib, job.pids, job.cpus, job.out_mib, job.out_files)


USUAL = Size(2048, 512, 2, 64, 4096)


@dataclass
class Made:
    """A sandbox that waits for its job, with its holder (None for a job of ours) and their volumes."""

    size: Size
    box: Sandbox
    channel: Channel
    holder: Sandbox | None = None
    line: Channel | None = None
    volumes: tuple[str, ...] = ()


class ContainerRoom:
    """Sandboxes of one image. With `ahead`, so many stand ready, with `warm` imported; each serves one job."""

    boundary = True

    def __init__(self, owned: Owned, image: str, *, ahead: int = 0, warm: tuple[str, ...] = ()) -> None:
        self.label = owned.engine.label
        self.identity = image
        self._owned = owned
        self._image = image
        self._warm = warm
        self._ahead = ahead
        self._ready: deque[Made] = deque()
        self._change = threading.Condition()
        self._closed = False
        self._maker: threading.Thread | None = None
        if ahead:
            self._maker = threading.Thread(target=self._keep_ready, name="sandboxes", daemon=True)
            self._maker.start()

    def do(self, job: Job, keep: Path) -> Done:
        """Run the job in a sandbox of its own, which is removed whatever happens."""
        made = self._get(job)
        try:
            if made.line is not None:
                fill_volumes(made.line, job)
            told, problem, seconds = self._converse(made, job)
            self._owned.remove(made.box.name)
            if made.line is None:
                return done(told, {}, (), False) if told is not None else silent(problem, seconds, job)
            outputs, others, full = take_files(made.line, job, keep)
            if told is None:
                stopped = silent(problem, seconds, job)
                return Done(stopped.problem, None, stopped.seconds, b"", "", outputs, others)
            return done(told, outputs, others, full)
        finally:
            self._discard(made)

    def wait_ready(self, seconds: float) -> bool:
        """Wait until as many sandboxes stand ready as are made ahead; whether they do."""
        with self._change:
            return self._change.wait_for(lambda: len(self._ready) >= self._ahead or self._closed, seconds)

    def close(self) -> None:
        """Remove what stands ready. Whoever made `owned` closes it."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        if self._maker is not None:
            self._maker.join()
        while self._ready:
            self._discard(self._ready.popleft())

    def __enter__(self) -> ContainerRoom:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _get(self, job: Job) -> Made:
        """A sandbox that nobody has used: one that stands ready, else a new one."""
        if not job.take:
            return self._make_light(job)
        size = Size.of(job)
        with self._change:
            if self._ready and self._ready[0].size == size:
                made = self._ready.popleft()
                self._change.notify_all()
                return made
        return self._make(size)

    def _keep_ready(self) -> None:
        """In a thread: make sandboxes ahead while there are fewer than wanted; a failure ends it, not the grading."""
        while True:
            with self._change:
                while len(self._ready) >= self._ahead and not self._closed:
                    self._change.wait()
                if self._closed:
                    return
            try:
                made = self._make(USUAL, self._warm)
            except InfraError:
                return
            with self._change:
                self._ready.append(made)
                self._change.notify_all()

    def _make(self, size: Size, warm: tuple[str, ...] = ()) -> Made:
        """A holder with four volumes and, on the same volumes, the sandbox, which imports `warm` while it waits."""
        names = {room: self._volume(room, size) for room in ROOMS}
        # nocopy: the image may have a folder of that name, whose owner the volume would take over.
        mounts = {name: (PATHS[room], "rw,nocopy") for room, name in names.items()}
        holder = self._owned.start("holder", self._holder_request(mounts))
        line = holder.attach()
        mounts |= {names[room]: (PATHS[room], "ro,nocopy") for room in READ_ONLY}
        box = self._owned.start("room", self._box_request(size, mounts, {}, warm))
        return Made(size, box, box.attach(), holder, line, tuple(names.values()))

    def _make_light(self, job: Job) -> Made:
        """A sandbox without volumes: its program is ours, and all it gives is what it prints."""
        size = Size.of(job)
        sizes = SIZES | {"out": job.out_mib}
        tmpfs = {PATHS[room]: f"size={mib}m,uid=65534,gid=65534,mode=0700,nosuid,nodev" for room, mib in sizes.items()}
        box = self._owned.start("room", self._box_request(size, {}, tmpfs))
        return Made(size, box, box.attach())

    def _volume(self, room: str, size: Size) -> str:
        mib, inodes = SIZES.get(room, size.out_mib), INODES.get(room, size.out_files)
        return self._owned.volume(f"{room}-{self._owned.number()}", mib, inodes)

    def _box_request(
        self, size: Size, volumes: dict[str, tuple[str, str]], tmpfs: dict[str, str], warm: tuple[str, ...] = ()
    ) -> RunRequest:
        return RunRequest(
            image=self._image, name="", command=("python", "-I", "-c", source("bootstrap"), *warm), env=HOME,
            volumes=volumes, tmpfs=tmpfs, user=NOBODY, init=False, stdin=True, memory_mib=size.memory_mib,
            pids=size.pids, cpus=size.cpus, fsize_mib=max(64, size.out_mib),
        )  # fmt: skip

    def _holder_request(self, volumes: dict[str, tuple[str, str]]) -> RunRequest:
        command = ("python", "-I", "-S", "-c", source("holder"), json.dumps(PATHS))
        return RunRequest(
            image=self._image, name="", trusted=True, command=command, volumes=volumes, user=NOBODY, init=False,
            stdin=True, memory_mib=HOLDER_MIB, pids=16, fsize_mib=max(SIZES.values()),
        )  # fmt: skip

    def _converse(self, made: Made, job: Job) -> tuple[dict[str, Json] | None, Problem, float]:
        """What the bootstrap said; None with the problem where it said nothing of use."""
        began = time.monotonic()
        line = b""
        try:
            made.channel.send(job_message(job, PATHS, HOME, carry=made.line is None, watch=False))
            line = made.channel.receive(began + job.seconds + SLACK_SECONDS, longest_answer(job))
        except InfraError:
            made.box.state()  # raises where it is the engine that is gone
        seconds = time.monotonic() - began
        told = parse(line)
        if told is not None:
            return told, "exit", seconds
        state = made.box.state()
        if state.running:
            return None, "timeout" if seconds > job.seconds else "output", seconds
        return None, "memory" if state.oom else "killed", seconds

    def _discard(self, made: Made) -> None:
        """Both containers, then the volumes; what cannot be removed now is left to the reaper."""
        for channel in (made.channel, made.line):
            if channel is not None:
                with suppress(OSError):
                    channel.close()
        for name in (made.box.name, *((made.holder.name,) if made.holder else ()), *made.volumes):
            with suppress(InfraError):
                self._owned.remove(name)


def fill_volumes(line: Channel, job: Job) -> None:
    """Send the job's files to the holder, in pieces."""
    for room, files in job.files.items():
        for name, value in files.items():
            for piece in pieces(value):
                ask(line, {"op": "put", "room": room, "name": name, "data": base64.b64encode(piece).decode()})


def pieces(value: bytes | Path) -> Iterator[bytes]:
    """The content in pieces; an empty one is a piece too."""
    if isinstance(value, bytes):
        yield from (value[start : start + PIECE] for start in range(0, max(1, len(value)), PIECE))
        return
    with open(value, "rb") as file:
        piece = file.read(PIECE)
        yield piece
        while piece := file.read(PIECE):
            yield piece


def ask(line: Channel, command: dict[str, Json]) -> None:
    """One command that the holder confirms."""
    line.send(json.dumps(command).encode())
    if hear(line).get("ok") != command["op"]:
        raise InfraError("holder_gone")


def hear(line: Channel) -> dict[str, Json]:
    """The holder's next line. It is ours: what it does not say right is our fault."""
    try:
        said: dict[str, Json] = json.loads(line.receive(time.monotonic() + HOLDER_SECONDS))
    except (ValueError, InfraError) as error:
        raise InfraError("holder_gone") from error
    return said


def take_files(line: Channel, job: Job, keep: Path) -> tuple[dict[str, Output], tuple[str, ...], bool]:
    """The files that were asked for, the names of the others, and whether {out} was full."""
    command = {"op": "take", "names": list(job.take), "file_bytes": job.out_mib * MIB}
    line.send(json.dumps(command).encode())
    about = hear(line)
    outputs = {name: take_file(line, job, keep / name) for name in job.take}
    if hear(line).get("ok") != "take":
        raise InfraError("holder_gone")
    return outputs, tuple(about["others"]), bool(about["full"])


def take_file(line: Channel, job: Job, path: Path) -> Output:
    row = hear(line)
    if row["problem"] is not None:
        return Output(int(row["size"]), None, row["problem"], None)

    def piece() -> bytes | None:
        data = hear(line)["data"]
        return None if data is None else base64.b64decode(data)

    return keep_file(piece, job.out_mib * MIB, path)
