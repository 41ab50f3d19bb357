"""What becomes of hostile archives: `python -m tests.fuzz.unpacking FIRST COUNT FOLDER`, one JSON row an archive.

Each archive is staged in a process of its own: by default with the reader inside it and the reader's own limits around
it, every `REAL`th as the grader does it, with the reader in its child.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any

from grader import staging, words
from grader.archives.child import CPU_SECONDS, MEMORY_BYTES, outcome
from grader.archives.names import FILES, FOLDERS, TOTAL_BYTES
from grader.errors import InfraError, SubmissionError
from grader.records import Submission

from .archives import archive

REAL = 50
SECONDS, MEBIBYTES = 2.0, 256.0
PATIENCE = 30
Row = dict[str, Any]


def trial(number: int, world: Path) -> Row:
    """One archive staged below the fresh folder `world`, and everything that is wrong with how it went."""
    shutil.rmtree(world, ignore_errors=True)
    outside, spool = world / "outside", world / "spool"
    for folder in (outside / "folder", spool):
        folder.mkdir(parents=True)
    (outside / "keep").write_text("canary")
    kind, data = archive(number, str(outside))
    (spool / "in").write_bytes(data)
    before = census(world)
    real = number % REAL == 0
    began = time.monotonic()
    code, memory, cpu = in_a_child(spool, real)
    row = {"number": number, "kind": kind.removesuffix(" again"), "real": real, "code": code, "cpu": round(cpu, 3),
           "seconds": round(time.monotonic() - began, 3), "mib": round(memory, 1)}  # fmt: skip
    after = {path: facts for path, facts in census(world).items() if path.split("/")[:2] != ["spool", "out"]}
    # The spool's own date changes with what comes and goes in it.
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    escaped = sorted(changed - {"spool"})
    row["faults"] = faults(row, escaped, spool / "out")
    shutil.rmtree(world)
    return row


def in_a_child(spool: Path, real: bool) -> tuple[str, float, float]:
    """How staging ended (`staged`, the code of a refusal, or `uncaught ...`), its memory in MiB, its CPU seconds."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        try:
            os.write(theirs, staged(spool, real).encode()[:4000])
        finally:
            os._exit(0)
    os.close(theirs)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.alarm(PATIENCE)
    with open(ours, "rb") as pipe:
        said = pipe.read().decode()
    _, status, usage = os.wait4(pid, 0)
    signal.alarm(0)
    cpu = usage.ru_utime + usage.ru_stime
    return said or f"uncaught: ended with {status}", usage.ru_maxrss / 1024, cpu


def staged(spool: Path, real: bool) -> str:
    if not real:
        for limit, value in (
            (resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_NOFILE, 64),
        ):  # fmt: skip
            resource.setrlimit(limit, (value, value))
        staging.extract = extract_here
    try:
        staging.stage(Submission(source=str(spool / "in")), spool / "out")
    except SubmissionError as error:
        return error.code if words.known(error.code) else f"uncaught: no words for {error.code}"
    except BaseException as error:
        return f"uncaught: {type(error).__name__} {error}"
    return "staged"


def extract_here(packed: int, root: int) -> None:
    """What `grader.archives.extract` does, without a process of its own."""
    with open(os.dup(packed), "rb") as file:
        found = outcome(file, root)
    facts = found.get("facts")
    if found.get("code") == "staging_disk":
        raise InfraError("staging_disk")
    if isinstance(facts, dict):
        raise SubmissionError(str(found["code"]), stage="stage", **facts)


def faults(row: Row, escaped: list[str], out: Path) -> list[str]:
    """What a grader may not do, whatever it is given."""
    found = [f"escaped: {path}" for path in escaped]
    if row["code"].startswith("uncaught"):
        found.append(row["code"])
    if row["cpu"] > SECONDS:  # of its own: other work on the machine is no fault of the archive
        found.append(f"slow: {row['cpu']} s")
    if row["mib"] > MEBIBYTES:
        found.append(f"big: {row['mib']} MiB")
    if (row["code"] == "staged") != out.exists():
        found.append("left behind" if out.exists() else "nothing there")
    return found + (unsound(out) if out.exists() else [])


def unsound(out: Path) -> list[str]:
    """What a staged folder may not hold."""
    rows = [(path, path.lstat()) for path in out.rglob("*")]
    files = [facts for _, facts in rows if stat.S_ISREG(facts.st_mode)]
    folders = [facts for _, facts in rows if stat.S_ISDIR(facts.st_mode)]
    found = [] if len(files) + len(folders) == len(rows) else ["staged: neither file nor folder"]
    if len(files) > FILES or len(folders) > FOLDERS or sum(facts.st_size for facts in files) > TOTAL_BYTES:
        found.append("staged: beyond the limits")
    return found


def census(world: Path) -> dict[str, tuple[object, ...]]:
    """Everything below the folder: kind, mode, size, date and content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in world.rglob("*"):
        facts = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(facts.st_mode) and facts.st_size < 100 else b""
        found[path.relative_to(world).as_posix()] = (facts.st_mode, facts.st_size, facts.st_mtime_ns, content)
    return found


def main() -> None:
    """Try `COUNT` archives from number `FIRST` on."""
    first, count, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    for number in range(first, first + count):
        print(json.dumps(trial(number, folder / "world")), flush=True)


if __name__ == "__main__":
    main()
