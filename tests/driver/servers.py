"""Servers that say exactly what a test wrote down, behind the same `sockets` call that the real helper answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from grader.driver.wire import HandoverError

Script = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b'{"label":7}'


class Scripted:
    """A helper whose every socket leads to a thread that plays `script`, until `opens` sockets were given out."""

    def __init__(self, script: Script, opens: int = 1000) -> None:
        self.script = script
        self.left = opens
        self.opened = 0
        self._players: list[threading.Thread] = []

    def sockets(self, port: int, count: int = 1) -> list[socket.socket]:
        if self.left <= 0:
            raise HandoverError("refused")
        self.left -= 1
        self.opened += 1
        ours, theirs = socket.socketpair()
        self._players.append(threading.Thread(target=self._play, args=(theirs,), daemon=True))
        self._players[-1].start()
        return [ours]

    def wait_for_the_end(self) -> None:
        """Until every script given out so far is played and its connection closed."""
        for player in self._players:
            player.join()

    def _play(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            self.script(sock)


def request(sock: socket.socket) -> bytes:
    """The next request with its body; empty when the client has hung up."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while lengths and len(body) < int(lengths[0]):
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def says(answer: bytes) -> Script:
    """One answer, then the end of the connection."""

    def script(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(answer)

    return script


def keeps_saying(answer: bytes) -> Script:
    """The same answer to every request of a connection."""

    def script(sock: socket.socket) -> None:
        while request(sock):
            sock.sendall(answer)

    return script


def streams(pieces: Callable[[], Iterator[bytes]], pause: float = 0.0) -> Script:
    """Pieces without an end, until the client hangs up."""

    def script(sock: socket.socket) -> None:
        request(sock)
        for piece in pieces():
            sock.sendall(piece)
            time.sleep(pause)

    return script


def silent(sock: socket.socket) -> None:
    """Nothing at all, until the client hangs up."""
    while sock.recv(65536):
        pass


def resets(sock: socket.socket) -> None:
    """The end of the connection with the request unread, which is a reset."""
    time.sleep(0.05)
