"""What a workroom and the bootstrap inside it say to each other, whichever room it is."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from grader.errors import InfraError
from grader.records import Json
from grader.workrooms.base import FLOOD_BYTES, LOG_BYTES, Done, Job, Output, Problem

MIB = 1024 * 1024
ANSWER_ROOM = 256 * 1024  # of the one line that a bootstrap answers, beside the program's output
ENVIRONMENT = {
    "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1",
    "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MPLBACKEND": "agg", "DO_NOT_TRACK": "1",
    "GRADER_WORKROOM": "1",  # a notebook that runs in one starts no grader of its own: workbench.check
}  # fmt: skip


def source(name: str) -> str:
    """The text of a script of ours that runs inside."""
    return resources.files("grader.workrooms.inside").joinpath(f"{name}.py").read_text(encoding="utf-8")


def fill(text: str, rooms: Mapping[str, str]) -> str:
    """`text` with the rooms' paths in place of `{work}`, `{data}`, `{lab}` and `{out}`."""
    for room, path in rooms.items():
        text = text.replace(f"{{{room}}}", path)
    return text


def content(value: bytes | Path) -> bytes:
    return value if isinstance(value, bytes) else value.read_bytes()


def job_message(job: Job, rooms: Mapping[str, str], env: Mapping[str, str], *, carry: bool, watch: bool) -> bytes:
    """The length, the job, and the request: all that goes to the bootstrap's standard input.

    With `carry` the files travel in it. With `watch` the bootstrap itself holds memory to its ceiling.
    """
    told: dict[str, Json] = {
        "program": [fill(word, rooms) for word in job.program],
        "rooms": dict(rooms),
        "env": {**ENVIRONMENT, **env, **{name: fill(value, rooms) for name, value in job.env.items()}},
        "seconds": job.seconds,
        "stdout_bytes": job.stdout_bytes,
        "log_bytes": LOG_BYTES,
        "flood_bytes": FLOOD_BYTES,
        "asks": job.request is not None,
        "limits": {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": job.out_mib * MIB, "RLIMIT_NOFILE": 1024},
        "watch_mib": job.memory_mib if watch else None,
    }
    if carry:
        told["files"] = {
            room: {name: base64.b64encode(content(value)).decode() for name, value in files.items()}
            for room, files in job.files.items()
        }
    text = json.dumps(told).encode()
    request = b"" if job.request is None else job.request + b"\n"
    return str(len(text)).encode() + b"\n" + text + request


def longest_answer(job: Job) -> int:
    """Bytes that the bootstrap's one line may have; more is not the bootstrap speaking."""
    return job.stdout_bytes * 4 // 3 + 6 * LOG_BYTES + ANSWER_ROOM


def parse(line: bytes) -> dict[str, Json] | None:
    """The bootstrap's answer; None where the line is not one."""
    try:
        told = json.loads(line)
        told["stdout"] = base64.b64decode(told["stdout"], validate=True)
        sane = (
            isinstance(told["log"], str)
            and isinstance(told["seconds"], int | float)
            and isinstance(told["exit"], int | None)
            and all(isinstance(told[name], bool) for name in ("timeout", "flood", "oom"))
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return told if sane else None


def done(told: Mapping[str, Json], outputs: Mapping[str, Output], others: Sequence[str], full: bool) -> Done:
    """The outcome of a job whose bootstrap has spoken."""
    code: int | None = told["exit"]
    problem: Problem | None = None
    if told["timeout"]:
        problem = "timeout"
    elif told["flood"]:
        problem = "output"
    elif told["oom"] and code != 0:
        problem = "memory"
    elif code is not None and code < 0:
        problem = "killed"
    elif code != 0:
        problem = "disk" if full else "exit"
    return Done(problem, code, told["seconds"], told["stdout"], told["log"], outputs, tuple(others))


def silent(problem: Problem, seconds: float, job: Job) -> Done:
    """The outcome of a job whose bootstrap never answered: it was stopped from outside."""
    outputs = {name: Output(0, None, "missing", None) for name in job.take}
    return Done(problem, None, round(seconds, 3), b"", "", outputs, ())


def keep_file(pieces: Callable[[], bytes | None], size: int, path: Path) -> Output:
    """Write what `pieces` gives, until None, to `path`; never more than `size` bytes."""
    digest = hashlib.sha256()
    total = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as file:
        while (piece := pieces()) is not None:
            total += len(piece)
            if total > size:
                raise InfraError("holder_gone")
            digest.update(piece)
            file.write(piece)
    return Output(total, digest.hexdigest(), None, path)
