"""Runs inside a container of ours and tries what a student's container must not be able to do.

Takes the names of the attempts and the limits as one JSON argument; prints one JSON line an attempt, as soon as it
is made: {"id": ..., ...}. What stops the container stops no answer that was given before. Standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import platform
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from typing import Any

MIB = 1024 * 1024
CALLS = {
    "x86_64": {"io_uring_setup": 425, "keyctl": 250, "unshare": 272, "mount": 165, "bpf": 321, "userfaultfd": 323},
    "aarch64": {"io_uring_setup": 425, "keyctl": 219, "unshare": 97, "mount": 40, "bpf": 280, "userfaultfd": 282},
}
NEW_USER_NAMESPACE = 0x10000000
AF_VSOCK = 40
IS_UP = 1


def read(path: str) -> list[str]:
    with open(path) as file:
        return file.read().splitlines()


def refusal(action: Callable[[], object]) -> str | None:
    """The name of the error, or None when it went well."""
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return None


def memory(limits: dict[str, int]) -> dict[str, Any]:
    """A child takes twice what the container may have, touching every page."""
    wanted = 2 * limits["memory_mib"]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write("1000")  # if somebody has to end, then not the one that reports
            for taken in range(1, wanted + 1):
                held = mmap.mmap(-1, MIB)
                held[:] = b"x" * MIB
                HELD.append(held)
                os.write(writer, taken.to_bytes(4, "big"))
        finally:
            os._exit(0)
    os.close(writer)
    told = b""
    while data := os.read(reader, 65536):
        told = data[-4:]
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return {"taken_mib": int.from_bytes(told, "big"), "limit_mib": limits["memory_mib"], "killed": killed}


HELD: list[mmap.mmap] = []


def pids(limits: dict[str, int]) -> dict[str, Any]:
    """Forks, until refused, up to twice what the container may have."""
    children: list[int] = []
    refused = None
    try:
        while len(children) < 2 * limits["pids"]:
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    except OSError as error:
        refused = errno.errorcode[error.errno or 0]
    for child in children:
        os.kill(child, signal.SIGKILL)
    for child in children:
        os.waitpid(child, 0)
    return {"forked": len(children), "limit": limits["pids"], "refused": refused}


def disk(limits: dict[str, int]) -> dict[str, Any]:
    """Writes twice what /tmp may hold."""
    done, refused = 0, None
    try:
        with open("/tmp/fill", "wb", buffering=0) as file:
            while done < 2 * limits["tmp_mib"] * MIB:
                done += file.write(bytes(MIB // 4))
    except OSError as error:
        refused = errno.errorcode[error.errno or 0]
    if os.path.exists("/tmp/fill"):
        os.unlink("/tmp/fill")
    return {"written_mib": done / MIB, "limit_mib": limits["tmp_mib"], "refused": refused}


def readonly(limits: dict[str, int]) -> dict[str, Any]:
    """Writes beside the memory disks."""

    def write(folder: str) -> None:
        with open(f"{folder}/grader-was-here", "w"):
            pass

    folders = ("/", "/etc", "/usr", "/var", "/home", "/proc/sys/kernel")
    return {"written": [folder for folder in folders if refusal(lambda folder=folder: write(folder)) is None]}  # type: ignore[misc]


def network(limits: dict[str, int]) -> dict[str, Any]:
    """Looks for a way out: interfaces that are up, routes, sockets to the machine below. Sends nothing."""
    names = os.listdir("/sys/class/net") if os.path.isdir("/sys/class/net") else []
    up = [name for name in names if int(read(f"/sys/class/net/{name}/flags")[0], 16) & IS_UP]
    kinds = {"vsock": (AF_VSOCK, socket.SOCK_STREAM), "raw": (socket.AF_INET, socket.SOCK_RAW)}
    sockets = [name for name, kind in kinds.items() if refusal(lambda kind=kind: socket.socket(*kind).close()) is None]  # type: ignore[misc]
    return {"interfaces": sorted({*up} - {"lo"}), "routes": len(read("/proc/net/route")[1:]), "sockets": sockets}


def seccomp(limits: dict[str, int]) -> dict[str, Any]:
    """Makes system calls that no server needs. One that is not filtered reaches the kernel, whatever that answers."""
    calls = CALLS.get(platform.machine())
    if calls is None:  # their numbers are not known here
        return {"mode": status()["Seccomp"], "reached": None}
    libc = ctypes.CDLL(None, use_errno=True)
    reached = []
    for name, number in calls.items():
        result = libc.syscall(number, NEW_USER_NAMESPACE if name == "unshare" else 0, 0, 0, 0, 0, 0)
        if result >= 0 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
            reached.append(name)
    return {"mode": status()["Seccomp"], "reached": reached}


def rights(limits: dict[str, int]) -> dict[str, Any]:
    """What the kernel says that this process may do."""
    found = status()
    return {"capabilities": [found[key] for key in ("CapEff", "CapPrm", "CapBnd") if int(found[key], 16)]}


def climb(limits: dict[str, int]) -> dict[str, Any]:
    """Starts a program that runs as its owner, root, and looks as whom it ran: a dead child can still be looked at."""
    program = next((path for path in programs() if is_setuid_root(path)), None)
    if program is None:
        return {"program": None, "uid": None, "no_new_privileges": status().get("NoNewPrivs", "")}
    child = os.fork()
    if child == 0:
        quiet = os.open("/dev/null", os.O_RDWR)
        for descriptor in range(3):
            os.dup2(quiet, descriptor)
        os.execv(program, [program, "--help"])
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    effective = int(status(child)["Uid"].split()[1])
    os.waitpid(child, 0)
    return {"program": program, "uid": effective, "own": os.getuid(),
            "no_new_privileges": status().get("NoNewPrivs", "")}  # fmt: skip


def programs() -> list[str]:
    return [f"{folder}/{name}" for folder in ("/bin", "/usr/bin") for name in ("su", "passwd", "chsh", "mount")]


def is_setuid_root(path: str) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return bool(found.st_mode & stat.S_ISUID) and found.st_uid == 0


def status(pid: int | str = "self") -> dict[str, str]:
    rows = (line.split(":", 1) for line in read(f"/proc/{pid}/status") if ":" in line)
    return {key: value.strip() for key, value in rows}


ATTEMPTS: dict[str, Callable[[dict[str, int]], dict[str, Any]]] = {
    "readonly": readonly, "network": network, "seccomp": seccomp, "rights": rights, "climb": climb, "disk": disk,
    "pids": pids, "memory": memory,
}  # fmt: skip


def main() -> None:
    asked = json.loads(sys.argv[1])
    for name in [name for name in ATTEMPTS if name in asked["attempts"]]:
        try:
            answer = ATTEMPTS[name](asked["limits"])
        except Exception as error:  # an attempt that cannot be made here shows nothing, and spoils no other
            answer = {"error": repr(error)}
        print(json.dumps({"id": name, **answer}), flush=True)


if __name__ == "__main__":
    main()
