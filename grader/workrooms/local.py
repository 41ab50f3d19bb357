"""Jobs as processes of one's own user: for one's own work, and no boundary against hostile code."""

from __future__ import annotations

import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from grader.errors import InfraError
from grader.workrooms.base import ROOMS, Done, Job, Output
from grader.workrooms.talk import MIB, content, done, job_message, keep_file, longest_answer, parse, silent, source

NEEDED = ("papermill", "ipykernel", "nbformat")
SLACK_SECONDS = 5.0
MOST_NAMES = 50
PIECE = 1 << 20


class LocalRoom:
    """Runs each job in a temporary folder below `work`; `cache` keeps what libraries would make anew each time."""

    label = "local"
    boundary = False

    def __init__(self, work: Path, cache: Path) -> None:
        missing = [name for name in NEEDED if find_spec(name) is None]
        if missing:
            raise InfraError("notebook_tools_missing", names=", ".join(missing))
        self.identity = f"local {sys.version.split()[0]}"
        self._work = work
        self._cache = cache

    def do(self, job: Job, keep: Path) -> Done:
        """Run the job; what it leaves running is killed, its folder removed."""
        self._work.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="room-", dir=self._work)).resolve()
        try:
            rooms = {room: str(folder / room) for room in ROOMS}
            fill_rooms(job, folder)
            env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder / "home"),
                   "TMPDIR": str(folder / "tmp"), "MPLCONFIGDIR": str(self._cache / "matplotlib")}  # fmt: skip
            for name in ("home", "tmp"):
                (folder / name).mkdir()
            told, seconds = converse(job, job_message(job, rooms, env, carry=False, watch=True))
            if told is None:
                return silent("timeout" if seconds > job.seconds else "killed", seconds, job)
            others = other_names(folder / "out", job.take)
            return done(told, take_files(job, folder / "out", keep), others, full=False)
        finally:
            remove(folder)

    def close(self) -> None:
        """Nothing is kept between jobs; the folder they were in goes."""
        remove(self._work)

    def __enter__(self) -> LocalRoom:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def fill_rooms(job: Job, folder: Path) -> None:
    """The four rooms with the job's files; what is to be read only is set so, as a reminder."""
    for room in ROOMS:
        (folder / room).mkdir()
    for room, files in job.files.items():
        for name, value in files.items():
            path = folder / room / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content(value))
            if room in ("data", "lab"):
                path.chmod(0o444)


def converse(job: Job, message: bytes) -> tuple[dict[str, object] | None, float]:
    """What the bootstrap answered, None where it had to be killed or died, and the seconds that passed."""
    began = time.monotonic()
    command = [sys.executable, "-I", "-S", "-c", source("bootstrap")]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={},
        start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        with suppress(BrokenPipeError):
            process.stdin.write(message)
            process.stdin.close()
        line = read_line(process.stdout.fileno(), began + job.seconds + SLACK_SECONDS, longest_answer(job))
    finally:
        end(process)
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
    return parse(line), time.monotonic() - began


def end(process: subprocess.Popen[bytes]) -> None:
    """The bootstrap ends with all that it started; it is asked first, because only it knows them."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(SLACK_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read_line(handle: int, deadline: float, limit: int) -> bytes:
    """What comes until the line or the stream ends, the time is up or the limit is passed."""
    data = bytearray()
    while not data.endswith(b"\n") and len(data) <= limit and (left := deadline - time.monotonic()) > 0:
        if select.select([handle], [], [], left)[0]:
            piece = os.read(handle, 1 << 16)
            if not piece:
                break
            data += piece
    return bytes(data)


def take_files(job: Job, out: Path, keep: Path) -> dict[str, Output]:
    """Output by name; links and special files are refused, whatever they lead to."""
    return {name: take_file(job, out, name, keep / name) for name in job.take}


def take_file(job: Job, out: Path, name: str, target: Path) -> Output:
    place = out
    for part in Path(name).parts:
        place = place / part
        try:
            facts = place.lstat()
        except OSError:
            return Output(0, None, "missing", None)
        if stat.S_ISLNK(facts.st_mode):
            return Output(0, None, "link", None)
    if not stat.S_ISREG(facts.st_mode):
        return Output(0, None, "special", None)
    if facts.st_size > job.out_mib * MIB:
        return Output(facts.st_size, None, "too_large", None)
    with open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        return keep_file(lambda: file.read(PIECE) or None, job.out_mib * MIB, target)


def other_names(out: Path, wanted: tuple[str, ...]) -> list[str]:
    """At most 50 names of files that nobody asked for."""
    found: list[str] = []
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out)).encode("utf-8", "backslashreplace").decode()
        if name not in wanted and (path.is_symlink() or not path.is_dir()):
            found.append(name)
    return found[:MOST_NAMES]


def remove(folder: Path) -> None:
    """The folder goes, also where a program took its own rights away."""
    with suppress(OSError):
        for parent, folders, _ in os.walk(folder):
            for name in folders:
                path = Path(parent, name)
                if not path.is_symlink():
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
