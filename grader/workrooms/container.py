"""Jobs in containers: no network, no rights, read-only root, everything capped, used once and thrown away.

A job that takes files gets two containers. The student's holds the program; a trusted holder keeps the volumes, fills
them before and reads the results after, once the student's container is removed and nothing can move any more.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from grader.engines.base import Channel, RunRequest, Sandbox
from grader.engines.owned import Owned
from grader.errors import InfraError
from grader.records import Json
from grader.workrooms.base import Done, Job, Problem
from grader.workrooms.shelf import NOBODY, PATHS, SIZES, Shelf, Size, Slot
from grader.workrooms.talk import done, job_message, longest_answer, parse, silent, source

HOME = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "IPYTHONDIR": "/tmp/ipython"}
SLACK_SECONDS = 5.0
USUAL = Size(2048, 512, 2, 64, 4096)
SHARED = 4  # sandboxes made ahead with one holder between them: a container less to start for three of four


@dataclass
class Made:
    """A sandbox that waits for its job, with the slot of its volumes (None for a job of ours)."""

    size: Size
    box: Sandbox
    channel: Channel
    slot: Slot | None = None


class ContainerRoom:
    """Sandboxes of one image, each for one job. With `ahead`, so many stand ready, the text `warm` run in each."""

    boundary = True

    def __init__(self, owned: Owned, image: str, *, ahead: int = 0, warm: str = "") -> None:
        self.label = owned.engine.label
        self.identity = image
        self._owned = owned
        self._image = image
        self._warm = warm
        self._ahead = ahead
        self._ready: deque[Made] = deque()
        self._slots: list[Slot] = []  # of a holder that sandboxes made ahead share; the maker's alone
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
            if made.slot is not None:
                made.slot.fill(job)
            told, problem, seconds = self._converse(made, job)
            self._owned.remove(made.box.name)
            if made.slot is None:
                return done(told, {}, (), False) if told is not None else silent(problem, seconds, job)
            outputs, others, full = made.slot.take(job, keep)
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
        while self._slots:
            self._slots.pop().shelf.give_back()

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
        return self._make(size, Shelf(self._owned, self._image, size).slots[0])

    def _keep_ready(self) -> None:
        """In a thread: make sandboxes ahead while there are fewer than wanted; a failure ends it, not the grading."""
        while True:
            with self._change:
                while len(self._ready) >= self._ahead and not self._closed:
                    self._change.wait()
                if self._closed:
                    return
            try:
                self._slots = self._slots or [*Shelf(self._owned, self._image, USUAL, SHARED).slots]
                made = self._make(USUAL, self._slots.pop(), self._warm)
            except InfraError:
                return
            with self._change:
                self._ready.append(made)
                self._change.notify_all()

    def _make(self, size: Size, slot: Slot, warm: str = "") -> Made:
        """The sandbox on its volumes; it runs `warm` while it waits."""
        try:
            box = self._owned.start("room", self._box_request(size, slot.mounts(), {}, warm))
            return Made(size, box, box.attach(), slot)
        except InfraError:
            slot.shelf.give_back()
            raise

    def _make_light(self, job: Job) -> Made:
        """A sandbox without volumes: its program is ours, and all it gives is what it prints."""
        size = Size.of(job)
        sizes = SIZES | {"out": job.out_mib}
        tmpfs = {PATHS[room]: f"size={mib}m,uid=65534,gid=65534,mode=0700,nosuid,nodev" for room, mib in sizes.items()}
        box = self._owned.start("room", self._box_request(size, {}, tmpfs))
        return Made(size, box, box.attach())

    def _box_request(
        self, size: Size, volumes: dict[str, tuple[str, str]], tmpfs: dict[str, str], warm: str = ""
    ) -> RunRequest:
        program = (f"{warm}\n{source('bootstrap')}", "warm") if warm else (source("bootstrap"),)
        return RunRequest(
            image=self._image, name="", command=("python", "-I", "-c", *program), env=HOME,
            volumes=volumes, tmpfs=tmpfs, user=NOBODY, init=False, stdin=True, memory_mib=size.memory_mib,
            pids=size.pids, cpus=size.cpus, fsize_mib=max(64, size.out_mib),
        )  # fmt: skip

    def _converse(self, made: Made, job: Job) -> tuple[dict[str, Json] | None, Problem, float]:
        """What the bootstrap said; None with the problem where it said nothing of use."""
        began = time.monotonic()
        line = b""
        try:
            made.channel.send(job_message(job, PATHS, HOME, carry=made.slot is None, watch=False))
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
        """The sandbox, then its volumes; what cannot be removed now is left to the reaper."""
        with suppress(OSError):
            made.channel.close()
        with suppress(InfraError):
            self._owned.remove(made.box.name)
        if made.slot is not None:
            made.slot.shelf.give_back()
