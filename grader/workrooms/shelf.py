"""The volumes of sandboxes, kept alive by a trusted holder that fills them before and reads them after."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from grader.engines.base import RunRequest
from grader.engines.owned import Owned
from grader.errors import InfraError
from grader.records import Json
from grader.workrooms.base import ROOMS, Job, Output
from grader.workrooms.talk import MIB, keep_file, source

NOBODY = "65534:65534"
PATHS = {room: f"/{room}" for room in ROOMS}
SIZES = {"work": 160, "data": 64, "lab": 32}  # MiB; {out} is as large as the job says
INODES = {"work": 8192, "data": 4096, "lab": 1024}
READ_ONLY = ("data", "lab")
HOLDER_SECONDS = 60.0
HOLDER_MIB = 384  # for each sandbox: what is put into its volumes counts as the holder's
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


class Shelf:
    """One holder and the volumes of as many sandboxes as it has slots; it goes when the last slot is given back."""

    def __init__(self, owned: Owned, image: str, size: Size, slots: int = 1) -> None:
        self._owned = owned
        self._lock = threading.Lock()
        self.slots = tuple(Slot(self, number, self._volumes(size)) for number in range(slots))
        self._left = slots
        # nocopy: the image may have a folder of that name, whose owner the volume would take over.
        mounts = {name: (slot.place(room), "rw,nocopy") for slot in self.slots for room, name in slot.volumes.items()}
        command = ("python", "-I", "-S", "-c", source("holder"))
        self._holder = owned.start("holder", RunRequest(
            image=image, name="", trusted=True, command=command, volumes=mounts, user=NOBODY, init=False,
            stdin=True, memory_mib=HOLDER_MIB * slots, pids=16, fsize_mib=max(SIZES.values()),
        ))  # fmt: skip
        self._line = self._holder.attach()

    def _volumes(self, size: Size) -> dict[str, str]:
        sizes, inodes = SIZES | {"out": size.out_mib}, INODES | {"out": size.out_files}
        return {room: self._owned.volume(f"{room}-{self._owned.number()}", sizes[room], inodes[room]) for room in ROOMS}

    def put(self, place: str, name: str, data: bytes) -> None:
        """Add `data` at the end of a file."""
        command = {"op": "put", "path": f"{place}/{name}", "data": base64.b64encode(data).decode()}
        with self._conversation():
            self._send(command)
            self._confirm("put")

    def take(self, place: str, job: Job, keep: Path) -> tuple[dict[str, Output], tuple[str, ...], bool]:
        """The files that were asked for, the names of the others, and whether the volume was full."""
        with self._conversation():
            self._send({"op": "take", "place": place, "names": list(job.take), "file_bytes": job.out_mib * MIB})
            about = self._hear()
            outputs = {name: self._take_file(job, keep / name) for name in job.take}
            self._confirm("take")
        return outputs, tuple(about["others"]), bool(about["full"])

    def give_back(self) -> None:
        """A slot is not used any more; what cannot be removed now is left to the reaper."""
        with self._lock:
            self._left -= 1
            if self._left:
                return
        with suppress(OSError):
            self._line.close()
        names = [self._holder.name, *(name for slot in self.slots for name in slot.volumes.values())]
        for name in names:
            with suppress(InfraError):
                self._owned.remove(name)

    @contextmanager
    def _conversation(self) -> Iterator[None]:
        """The line for one command; one that breaks off ends it, so that no other slot takes its rest for an answer."""
        with self._lock:
            try:
                yield
            except BaseException:
                self._line.close()
                raise

    def _take_file(self, job: Job, path: Path) -> Output:
        row = self._hear()
        if row["problem"] is not None:
            return Output(int(row["size"]), None, row["problem"], None)

        def piece() -> bytes | None:
            data = self._hear()["data"]
            return None if data is None else base64.b64decode(data)

        return keep_file(piece, job.out_mib * MIB, path)

    def _send(self, command: dict[str, Json]) -> None:
        self._line.send(json.dumps(command).encode())

    def _confirm(self, command: str) -> None:
        if self._hear().get("ok") != command:
            raise InfraError("holder_gone")

    def _hear(self) -> dict[str, Json]:
        """The holder's next line. It is ours: what it does not say right is our fault."""
        try:
            said: dict[str, Json] = json.loads(self._line.receive(time.monotonic() + HOLDER_SECONDS))
        except (ValueError, InfraError) as error:
            raise InfraError("holder_gone") from error
        return said


@dataclass(frozen=True)
class Slot:
    """The four volumes of one sandbox, by room."""

    shelf: Shelf
    number: int
    volumes: dict[str, str]

    def place(self, room: str) -> str:
        """Where the holder has the volume of that room."""
        return f"/{self.number}/{room}"

    def mounts(self) -> dict[str, tuple[str, str]]:
        """The volumes as the sandbox gets them: volume -> (path, mode)."""
        modes = dict.fromkeys(READ_ONLY, "ro,nocopy")
        return {name: (PATHS[room], modes.get(room, "rw,nocopy")) for room, name in self.volumes.items()}

    def fill(self, job: Job) -> None:
        """Put the job's files into their rooms."""
        for room, files in job.files.items():
            for name, value in files.items():
                for piece in pieces(value):
                    self.shelf.put(self.place(room), name, piece)

    def take(self, job: Job, keep: Path) -> tuple[dict[str, Output], tuple[str, ...], bool]:
        """The results, once the sandbox is gone: files, the names of the others, whether {out} was full."""
        return self.shelf.take(self.place("out"), job, keep)


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
