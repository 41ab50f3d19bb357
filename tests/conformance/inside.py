"""Runs inside a container and prints, as JSON, what it could do there."""

import ctypes
import errno
import json
import os
import platform
import socket
import threading

MIB = 1024 * 1024
CALLS = {
    "x86_64": {
        "io_uring_setup": 425,
        "keyctl": 250,
        "userfaultfd": 323,
        "bpf": 321,
        "perf_event_open": 298,
        "ptrace": 101,
        "unshare": 272,
    },
    "aarch64": {
        "io_uring_setup": 425,
        "keyctl": 219,
        "userfaultfd": 282,
        "bpf": 280,
        "perf_event_open": 241,
        "ptrace": 117,
        "unshare": 97,
    },
}
NEW_USER_NAMESPACE = 0x10000000


def read(path):
    with open(path) as file:
        return file.read().splitlines()


def attempt(action):
    """The name of the error, or None when it went well."""
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def fill(path, limit):
    """How many bytes one file could take, at most `limit`, and what stopped it."""
    done = 0
    try:
        with open(path, "wb", buffering=0) as file:
            while done < limit:
                done += file.write(bytes(min(MIB // 4, limit - done)))
    except OSError as error:
        return [done, errno.errorcode[error.errno]]
    return [done, None]


def crowd():
    """How many threads could be started beside the first."""
    stop, count = threading.Event(), 0
    try:
        while count < 1000:
            threading.Thread(target=stop.wait, daemon=True).start()
            count += 1
    except RuntimeError:
        pass
    stop.set()
    return count


def many_files(folder):
    made = 0
    try:
        for made in range(20_000):
            os.close(os.open(f"{folder}/{made}", os.O_CREAT | os.O_WRONLY))
    except OSError:
        pass
    for number in range(made):
        os.unlink(f"{folder}/{number}")
    return made


def open_files():
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        for descriptor in held:
            os.close(descriptor)
        return len(held)


def call(name):
    libc = ctypes.CDLL(None, use_errno=True)
    first = NEW_USER_NAMESPACE if name == "unshare" else 0
    result = libc.syscall(CALLS[platform.machine()][name], first, 0, 0, 0, 0, 0)
    return errno.errorcode[ctypes.get_errno()] if result < 0 else None


def main():
    status = dict(line.split(":\t", 1) for line in read("/proc/self/status") if ":\t" in line)
    facts = {
        "status": {key: status[key].strip() for key in ("CapEff", "CapBnd", "CapPrm", "NoNewPrivs", "Seccomp", "Uid")},
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "routes": read("/proc/net/route")[1:],
        "environment": sorted(os.environ),
        "hostname": socket.gethostname(),
        "writes": {
            p: attempt(lambda p=p: open(f"{p}/x", "w").close()) for p in ("", "/usr", "/etc", "/models", "/dev/shm")
        },
        "chown": attempt(lambda: os.chown("/tmp", 1, 1)),
        "nice": attempt(lambda: os.nice(-5)),
        "vsock": attempt(lambda: socket.socket(40, socket.SOCK_STREAM).close()),
        "calls": {name: call(name) for name in CALLS[platform.machine()]},
        "files": many_files("/tmp"),
        "open": open_files(),
        "threads": crowd(),
        "large": fill("/tmp/a", 128 * MIB),
        "run": fill("/run/a", 8 * MIB),
        "data": fill("/data/a", 20 * MIB) if os.path.isdir("/data") else None,
    }
    facts["rest"] = fill("/tmp/b", 128 * MIB)
    print(json.dumps(facts))


main()
