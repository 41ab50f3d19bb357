"""The first process of a sandbox: runs one program, and says in one line of JSON how it ended.

Standard input: the length of the job in digits and a newline, the job as JSON, then the program's own standard input.
With the argument `warm`, this text is preceded by imports that are made while it waits: a program that is a script then
starts as a fork, warm.
As process 1 of a container nothing in there can signal, trace or replace it.
"""

import base64
import ctypes
import json
import os
import resource
import runpy
import select
import signal
import sys
import time
from typing import Any, NoReturn

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
TICK = 0.1
WATCH_EVERY = 0.25
MIB = 1024 * 1024


def main() -> None:
    """Wait for the job, run it, report."""
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a signal that has a handler reaches process 1, any other does not
    if os.getpid() != 1:  # without a container around us, whoever started us may die first
        signal.signal(signal.SIGTERM, Run.stop)
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    length = int(read_until_newline())
    job = json.loads(read_exactly(length))
    lay_out(job)
    before = oom_kills()
    told = Run(job).carry_out()
    told["oom"] = told["oom"] or oom_kills() > before
    os.write(1, json.dumps(told).encode() + b"\n")


def prctl(option: int, value: int) -> None:
    """Linux only; elsewhere there is nothing to set."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def read_until_newline() -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte or len(data) > 20:
            sys.exit(3)
        data += byte
    return data


def read_exactly(length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = os.read(0, min(1 << 20, length - len(data)))
        if not piece:
            sys.exit(3)
        data += piece
    return bytes(data)


def lay_out(job: dict[str, Any]) -> None:
    """Write the files that come with the job itself."""
    for room, files in job.get("files", {}).items():
        for name, content in files.items():
            path = os.path.join(job["rooms"][room], name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "xb") as file:
                file.write(base64.b64decode(content))


class Run:
    """One program and its descendants."""

    stopped = False

    @staticmethod
    def stop(number: int, frame: Any) -> None:
        """A polite signal: end the program as if its time were up."""
        Run.stopped = True

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.output = bytearray()
        self.said, self.errors = bytearray(), bytearray()
        self.printed = 0
        self.timeout = self.flood = self.oom = False
        self.status: int | None = None
        self.child = 0
        self.next_look = 0.0

    def carry_out(self) -> dict[str, Any]:
        began = time.monotonic()
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            os.close(out_read)
            os.close(err_read)
            become(self.job, out_write, err_write)
        os.close(out_write)
        os.close(err_write)
        self.follow({out_read: True, err_read: False}, began + self.job["seconds"])
        self.kill_all()
        while self.status is None:
            self.reap()
        code = None if self.timeout or self.flood else os.waitstatus_to_exitcode(self.status)
        return {
            "exit": code,
            "timeout": self.timeout,
            "flood": self.flood,
            "oom": self.oom,
            "seconds": round(time.monotonic() - began, 3),
            "stdout": base64.b64encode(self.output).decode(),
            # the error last: what a buffer held back until the exit would follow it, or not, by chance
            "log": bytes((self.said + self.errors)[-self.job["log_bytes"] :]).decode("utf-8", "replace"),
        }

    def follow(self, pipes: dict[int, bool], deadline: float) -> None:
        """Read what is printed until the program ends, or must be ended."""
        ended_at: float | None = None
        while pipes:
            now = time.monotonic()
            if now >= deadline or Run.stopped:
                self.timeout = True
            if self.timeout or self.flood or self.oom:
                return
            self.reap()
            if self.status is not None and ended_at is None:
                ended_at = now
            if ended_at is not None and now > ended_at + 1:
                return  # what it left running holds its pipes open
            ready = select.select(list(pipes), [], [], TICK if ended_at is None else 0.01)[0]
            for handle in ready:
                if not self.read(handle, pipes[handle]):
                    del pipes[handle]
            self.watch_memory(now)
        while self.status is None and not self.timeout:
            self.reap()
            self.timeout = time.monotonic() >= deadline or Run.stopped
            time.sleep(0.005)

    def read(self, handle: int, is_stdout: bool) -> bool:
        data = os.read(handle, 1 << 16)
        self.printed += len(data)
        self.flood = self.flood or self.printed > self.job["flood_bytes"]
        if is_stdout and len(self.output) < self.job["stdout_bytes"]:
            self.output += data[: self.job["stdout_bytes"] - len(self.output)]
        if not is_stdout or not self.job["asks"]:  # the answer to a request is no log
            log = self.said if is_stdout else self.errors
            log += data
            if len(log) > 4 * self.job["log_bytes"]:
                del log[: -self.job["log_bytes"]]
        return bool(data)

    def reap(self) -> None:
        """Collect everybody who has ended: orphans come to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child:
                self.status = status

    def kill_all(self) -> None:
        """Nothing that the program started outlives it; whoever forks meanwhile is met again."""
        for _ in range(100):
            self.reap()
            found = [-1] if os.getpid() == 1 else descendants()
            try:
                for pid in found:
                    os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                if os.getpid() == 1:
                    return  # nobody is left
            if not found:
                return
            time.sleep(0.005)

    def watch_memory(self, now: float) -> None:
        """Where no container holds the ceiling, we do."""
        limit = self.job.get("watch_mib")
        if limit is None or now < self.next_look:
            return
        self.next_look = now + WATCH_EVERY
        self.oom = sum(resident(pid) for pid in descendants()) > limit * MIB


def become(job: dict[str, Any], out_write: int, err_write: int) -> NoReturn:
    """Turn this fork into the program; never returns."""
    code = 127
    try:
        os.setsid()
        prctl(PR_SET_DUMPABLE, 1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if not job["asks"]:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out_write, 1)
        os.dup2(err_write, 2)
        os.closerange(3, 256)
        for name, value in job["limits"].items():
            limit = getattr(resource, name)
            hard = resource.getrlimit(limit)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(limit, (value, value))
        os.chdir(job["rooms"]["work"])
        program = job["program"]
        if sys.argv[1:] == ["warm"] and program[0] == "-I" and program[1].endswith(".py"):
            code = run_warm(program[1:], job["env"])
        else:
            os.execve(sys.executable, [sys.executable, *program], job["env"])
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def run_warm(arguments: list[str], env: dict[str, str]) -> int:
    """Run a script in this interpreter, which has imported what it needs."""
    os.environ.clear()
    os.environ.update(env)
    sys.argv = list(arguments)
    try:
        runpy.run_path(arguments[0], run_name="__main__")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def descendants() -> set[int]:
    """Process ids below us."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


def oom_kills() -> int:
    """How often the kernel has killed for memory in this container; 0 where it does not say."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path, encoding="ascii") as file:
                rows = dict(line.split() for line in file)
            return int(rows.get("oom_kill", 0))
        except (OSError, ValueError):
            continue
    return 0


if __name__ == "__main__":
    main()
