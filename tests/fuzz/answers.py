"""Malformed answers by number, and a real server on loopback that says them."""

from __future__ import annotations

import itertools
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from grader.driver import wire

REQUEST_END = b'"pixels":[1]}'
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
JSONS = (
    b'{"label": 7}', b'{"label": 7, "probabilities": [0.1, 0.9], "model": "0123456789ab"}', b"[]", b"null", b"7",
    b'{"label": NaN}', b'{"label": 1e999}', b'{"label": 1, "label": 2}', b'{"label": "\\ud800"}', b"", b"{", b"{}{}",
    b'{"label": "\\ud83d\\ude42"}', b'{"label": -Infinity}', b'{"label": 123456789012345678901}', b"[" * 33 + b"]" * 33,
    b"[" * 32 + b"]" * 32, b"[" * 100_000, b'{"a":' * 50_000, b'"\xff"', b"\xef\xbb\xbf{}", b'{"label": 07}', b"'x'",
    b'{"label": "a\tb"}', b'{"label": 1,}', b"\xed\xa0\x80", b'{"label": 7.0}', b'{"label": -0}',
    b' \n{"label":\r\n7} ', b"0." + b"1" * 300_000, b'{"\\u006cabel": 1, "label": 2}', b'{"label": True}', b"\x00",
    b'"' + b"x" * 700_000 + b'"',
)  # fmt: skip
HEADERS = (
    b"Content-Length: 2", b"Content-Length: 2, 2", b"Content-Length: +2", b"Content-Length:", b"Content-Length: 9" * 9,
    b"Content-Length: 1048577", b"Content-Length: \xb2", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: identity", b"Content-Encoding: gzip", b"Content-Encoding: identity", b"Connection: close",
    b"Connection: keep-alive", b"X: " + b"y" * 17_000, b"nonsense", b": x", b"X : y", b" folded", b"X: \0",
    b"\xff: \xfe", b"Location: http://127.0.0.1:1/", b"Set-Cookie: a=b", b"Upgrade: h2c", b"", b"X: y\nZ: w",
    b"Trailer: Content-Length",
)  # fmt: skip
STATUS = (
    b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 500 No", b"HTTP/1.1 204 No",
    b"HTTP/1.1 304 Not", b"HTTP/1.1 101 Switching", b"HTTP/1.1 100 Continue", b"HTTP/1.1 999 Odd", b"HTTP/2 200 OK",
    b"HTTP/1.1 99 Odd", b"HTTP/1.1 2000 Odd", b"HTTP/1.1  200 OK", b"http/1.1 200 OK", b"HTTP/1.1 abc",
    b"HTTP/1.1\t200", b"ICY 200 OK", b"\x16\x03\x01", b"SSH-2.0-x", b"HTTP/1.1 307 There", "HTTP/1.1 ٢٠٠ OK".encode(),
    b"", b"HTTP/1.1 -20",
)  # fmt: skip
CHUNKED = STATUS[0] + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOODS = (
    (b"", b"HTTP/1.1 200 OK\r\n"), (STATUS[0] + b"\r\n", b"X: y\r\n" * 1000), (b"", INTERIM * 500), (b"",
    b"\0" * 65536), (STATUS[0] + b"\r\n\r\n", b"x" * 65536), (CHUNKED, b"1\r\nx\r\n" * 9000), (CHUNKED + b"0\r\n",
    b"X: y\r\n" * 5000), (CHUNKED, b"0" * 65536),
)  # fmt: skip
SIZES = (b"2", b"02", b"2;x", b" 2 ", b"0x2", b"-2", b"+2", b"2_0", b"", b"ffffffff", b"1" * 30, b"3", b"1", b"0")


@dataclass(frozen=True)
class Case:
    """What the server sends and in which pieces, the pause between them, and how it ends: close, reset, hold."""

    kind: str
    pieces: tuple[bytes, ...]
    pause: float = 0.0
    end: str = "close"
    endless: bool = False

    @property
    def raw(self) -> bytes:
        return b"".join(self.pieces)


def case(number: int) -> Case:
    kind = tuple(MAKERS)[number % len(MAKERS)]
    return MAKERS[kind](random.Random(f"answer {number}"))


def framed(chance: random.Random, body: bytes) -> bytes:
    """A body in one of the ways in which an honest server sends it."""
    way = chance.randrange(4)
    status = b"HTTP/1.%d 200 OK" % (way != 3)
    head = [status, b"Content-Type: application/json"]
    if way in (0, 3):
        head.append(b"%s: %d" % (chance.choice([b"Content-Length", b"content-length"]), len(body)))
    elif way == 1:
        head.append(b"Transfer-Encoding: Chunked")
        cuts = sorted({0, len(body), *(chance.randrange(len(body) + 1) for _ in range(3))})
        chunks = [body[start:stop] for start, stop in itertools.pairwise(cuts)]
        body = b"".join(b"%x%s\r\n%s\r\n" % (len(c), chance.choice([b"", b";a=b"]), c) for c in chunks) + b"0\r\n\r\n"
    return INTERIM * chance.choice([0, 0, 1, 8]) + b"\r\n".join(head) + b"\r\n\r\n" + body


def whole(chance: random.Random) -> Case:
    raw = framed(chance, chance.choice(JSONS[:5]))
    cuts = sorted({0, len(raw), *(chance.randrange(len(raw)) for _ in range(chance.choice([0, 0, 3])))})
    return Case("whole", tuple(raw[start:stop] for start, stop in itertools.pairwise(cuts)), 0.002)


def body(chance: random.Random) -> Case:
    return Case("body", (framed(chance, chance.choice(JSONS)),))


def head(chance: random.Random) -> Case:
    lines = [chance.choice(STATUS) if chance.random() < 0.6 else STATUS[0]]
    lines += chance.choices(HEADERS, k=chance.choice([0, 1, 1, 2, 3]))
    lines += [b"X-%d: y" % n for n in range(chance.choice([0, 0, 0, 99, 100, 101, 3000]))]
    end = chance.choice([b"\r\n", b"\r\n", b"\r\n", b"\n"])
    data = chance.choice([b"{}", b"2\r\n{}\r\n0\r\n\r\n", b"", JSONS[0]])
    return Case("head", (end.join(lines) + end * 2 + data,), 0.0, chance.choice(["close", "close", "hold"]))


def chunks(chance: random.Random) -> Case:
    size = chance.choice(SIZES[:4] if chance.random() < 0.4 else SIZES)
    end = chance.choice([b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\n", b"0\r\n\r\nmore", b"00000000\r\n\r\n", b""])
    part = b"%s\r\n{}%s" % (size, chance.choice([b"\r\n", b"\r\n", b"\n", b""]))
    return Case("chunks", (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + part + end,))


def flips(chance: random.Random) -> Case:
    raw = bytearray(framed(chance, chance.choice(JSONS[:5])))
    for _ in range(chance.randint(1, 4)):
        raw[chance.randrange(len(raw))] = chance.choice([0, 10, 13, 32, 58, chance.randrange(256)])
    return Case("flips", (bytes(raw),))


def cut(chance: random.Random) -> Case:
    raw = framed(chance, chance.choice(JSONS[:5]))
    return Case("cut", (raw[: chance.randrange(len(raw))],), 0.0, chance.choice(["close", "reset", "hold"]))


def trailing(chance: random.Random) -> Case:
    raw = framed(chance, chance.choice(JSONS[:5]))
    return Case("trailing", (raw + chance.choice([b"x", b"\r\n", raw, INTERIM, b"\0" * 9000]),))


def drip(chance: random.Random) -> Case:
    """Whole in the end, but only long after anybody waits."""
    raw = framed(chance, JSONS[1])
    return Case("drip", tuple(raw[at : at + 1] for at in range(len(raw))), 0.02, chance.choice(["close", "hold"]))


def flood(chance: random.Random) -> Case:
    start, more = chance.choice(FLOODS)
    return Case("flood", (start, more), 0.0, "hold", endless=True)


def silence(chance: random.Random) -> Case:
    return Case("silence", (), 0.0, chance.choice(["close", "reset", "hold"]))


MAKERS: dict[str, Callable[[random.Random], Case]] = {
    "whole": whole, "body": body, "head": head, "chunks": chunks, "flips": flips, "cut": cut, "trailing": trailing,
    "body again": body, "head again": head, "flips again": flips, "chunks again": chunks, "drip": drip, "flood": flood,
    "silence": silence,
}  # fmt: skip


class Server:
    """Plays its case to whoever connects, after reading what is asked; it can be asked for sockets as a helper is."""

    def __init__(self, played: Case) -> None:
        self.case = played
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def sockets(self, port: int, count: int = 1) -> list[socket.socket]:
        return wire.connect(self.port, count)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.settimeout(5)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._play, args=(sock, self.case), daemon=True).start()

    def _play(self, sock: socket.socket, played: Case) -> None:
        with sock, suppress(OSError):
            data = b""
            while not data.endswith(REQUEST_END):
                more = sock.recv(65536)
                if not more:
                    return
                data += more
            for piece in self._pieces(played):
                sock.sendall(piece)
                time.sleep(played.pause)
            if played.end == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif played.end == "hold":
                sock.recv(65536)

    def _pieces(self, played: Case) -> Iterator[bytes]:
        yield from played.pieces
        while played.endless:
            yield played.pieces[-1]
