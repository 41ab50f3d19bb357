"""Hand-over of connected TCP sockets from a service's network namespace (SCM_RIGHTS, path socket).

The helper joins the namespace, connects to 127.0.0.1 and passes the sockets to the driver, which
listens on a path socket in a volume that only the two mount. Abstract sockets would be visible to
the student's container, path sockets are not.
"""

from __future__ import annotations

import json
import socket
import time

LISTEN_PATH = "/sock/driver"
MAX_SOCKETS = 64
CONNECT_SECONDS = 1.0
LISTENERS_LIMIT = 1024 * 1024  # a service may open a thousand sockets


class HandoverError(Exception):
    """The helper could not connect; the text is `refused`, `timeout` or `gone`."""


def read_line(sock: socket.socket, limit: int = 65536) -> bytes:
    """One line without its end; raises `HandoverError` when the peer is gone or talks too much."""
    line = b""
    while not line.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte or len(line) > limit:
            raise HandoverError("gone")
        line += byte
    return line[:-1]


def listeners() -> list[dict[str, object]]:
    """The listening TCP sockets of this network namespace: address as hex of the kernel, and port."""
    found: list[dict[str, object]] = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                rows = lines.readlines()[1:1024]
        except OSError:
            continue
        for row in rows:
            local, state = row.split()[1], row.split()[3]
            if state == "0A":
                address, port = local.split(":")
                found.append({"address": address, "port": int(port, 16)})
    return found


def connect(port: int, count: int) -> list[socket.socket]:
    """`count` sockets connected to 127.0.0.1:`port`, blocking; raises `HandoverError`."""
    made: list[socket.socket] = []
    try:
        for _ in range(count):
            made.append(socket.create_connection(("127.0.0.1", port), timeout=CONNECT_SECONDS))
            made[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made[-1].settimeout(None)
    except OSError as error:
        for sock in made:
            sock.close()
        reason = "timeout" if isinstance(error, TimeoutError) else "refused"
        raise HandoverError(reason) from error
    return made


def hand_over(peer: socket.socket, port: int, count: int) -> None:
    """Connect and pass the sockets to `peer`, or pass the reason why not."""
    try:
        made = connect(port, count)
    except HandoverError as error:
        peer.sendall(json.dumps({"problem": str(error)}).encode() + b"\n")
        return
    peer.sendall(json.dumps({"problem": None}).encode() + b"\n")
    socket.send_fds(peer, [b"+"], [sock.fileno() for sock in made])
    for sock in made:
        sock.close()


class Helper:
    """The driver's end of one helper."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer

    def close(self) -> None:
        self._peer.close()

    def listeners(self) -> list[dict[str, object]]:
        self._peer.sendall(b'{"op":"listeners"}\n')
        return list(json.loads(read_line(self._peer, LISTENERS_LIMIT)))

    def sockets(self, port: int, count: int = 1) -> list[socket.socket]:
        """Fresh connected sockets; raises `HandoverError`."""
        assert count <= MAX_SOCKETS
        request = json.dumps({"op": "connect", "port": port, "count": count})
        try:
            self._peer.sendall(request.encode() + b"\n")
            problem = json.loads(read_line(self._peer))["problem"]
            if problem:
                raise HandoverError(problem)
            _, descriptors, _, _ = socket.recv_fds(self._peer, 1, count)
        except OSError as error:
            raise HandoverError("gone") from error
        made = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        if len(made) != count:
            for sock in made:
                sock.close()
            raise HandoverError("gone")
        for sock in made:
            sock.settimeout(None)  # O_NONBLOCK travels with a descriptor
        return made


class Switchboard:
    """Accepts helpers and keeps them by the name that the grader gave each."""

    def __init__(self, path: str = LISTEN_PATH) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen(8)
        self._helpers: dict[str, Helper] = {}

    def helper(self, name: str, seconds: float) -> Helper:
        """The helper of that name, waited for at most `seconds`; raises `HandoverError`."""
        deadline = time.monotonic() + seconds
        while name not in self._helpers:
            left = deadline - time.monotonic()
            if left <= 0:
                raise HandoverError("timeout")
            self._listener.settimeout(left)
            try:
                peer, _ = self._listener.accept()
            except TimeoutError:
                continue
            peer.settimeout(10)
            self._helpers[read_line(peer, 256).decode()] = Helper(peer)
        return self._helpers[name]

    def forget(self, name: str) -> None:
        """Hang up on a helper, which ends it."""
        if name in self._helpers:
            self._helpers.pop(name).close()
