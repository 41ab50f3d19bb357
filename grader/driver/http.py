"""One HTTP/1.1 exchange over a socket, believing nothing that comes back.

Limits follow the probe rules: status line and headers 16 KiB, 100 headers, 8 interim responses, body
1 MiB, no content coding, nothing after the body. Every read has a deadline.
"""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import dataclass
from typing import Any

MAX_HEAD = 16 * 1024
MAX_HEADERS = 100
MAX_INTERIM = 8
MAX_BODY = 1024 * 1024
MAX_DEPTH = 32
MAX_DIGITS = 20
HALF = re.compile("[\ud800-\udfff]")


class ExchangeError(Exception):
    """`timeout`, `closed`, `too_large` or `protocol`."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    keep: bool


def request_bytes(method: str, path: str, body: bytes | None, close: bool) -> bytes:
    """A plain request with a neutral client name."""
    lines = [f"{method} {path} HTTP/1.1", "Host: app", "User-Agent: client", "Accept: */*"]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines.append(f"Connection: {'close' if close else 'keep-alive'}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


class Reader:
    """Bytes of one connection until a monotonic deadline, with what was read too far kept."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.rest = b""
        self.deadline = 0.0

    def more(self) -> bytes:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise ExchangeError("timeout")
        self.sock.settimeout(left)
        try:
            return self.sock.recv(65536)
        except TimeoutError as error:
            raise ExchangeError("timeout") from error
        except OSError as error:
            raise ExchangeError("closed") from error

    def until(self, mark: bytes, limit: int) -> bytes:
        while mark not in self.rest:
            if len(self.rest) > limit:
                raise ExchangeError("too_large")
            data = self.more()
            if not data:
                raise ExchangeError("closed")
            self.rest += data
        found, _, self.rest = self.rest.partition(mark)
        if len(found) > limit:
            raise ExchangeError("too_large")
        return found

    def exactly(self, count: int) -> bytes:
        while len(self.rest) < count:
            data = self.more()
            if not data:
                raise ExchangeError("closed")
            self.rest += data
        found, self.rest = self.rest[:count], self.rest[count:]
        return found

    def to_end(self, limit: int) -> bytes:
        while True:
            data = self.more()
            if not data:
                found, self.rest = self.rest, b""
                return found
            self.rest += data
            if len(self.rest) > limit:
                raise ExchangeError("too_large")


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and lower-cased headers; a repeated header that frames the body is refused."""
    lines = head.split(b"\r\n")
    parts = lines[0].split(b" ", 2)
    if len(parts) < 2 or parts[0] not in (b"HTTP/1.1", b"HTTP/1.0") or len(parts[1]) != 3 or not parts[1].isdigit():
        raise ExchangeError("protocol")
    if parts[1] < b"100" or b"\0" in head or len(lines) - 1 > MAX_HEADERS:
        raise ExchangeError("protocol")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        key = name.decode("latin-1").lower()
        if not colon or not key or key != key.strip():
            raise ExchangeError("protocol")
        if key in headers and key in ("content-length", "transfer-encoding"):
            raise ExchangeError("protocol")
        headers[key] = value.strip().decode("latin-1")
    return int(parts[1]), headers


def chunked(reader: Reader) -> bytes:
    body = bytearray()
    while True:
        size_text = reader.until(b"\r\n", 1024).split(b";")[0].strip()
        if not size_text or len(size_text) > 8 or any(c not in b"0123456789abcdefABCDEF" for c in size_text):
            raise ExchangeError("protocol")
        size = int(size_text, 16)
        if len(body) + size > MAX_BODY:
            raise ExchangeError("too_large")
        if size == 0:
            while reader.until(b"\r\n", MAX_HEAD):
                pass
            return bytes(body)
        body += reader.exactly(size)
        if reader.exactly(2) != b"\r\n":
            raise ExchangeError("protocol")


def read_body(reader: Reader, status: int, headers: dict[str, str]) -> tuple[bytes, bool]:
    """The body and whether its end was marked (else the connection's end was its end)."""
    if headers.get("content-encoding", "identity").lower() not in ("identity", ""):
        raise ExchangeError("protocol")
    if status in (204, 304):
        return b"", True
    if "transfer-encoding" in headers:
        if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
            raise ExchangeError("protocol")
        return chunked(reader), True
    length = headers.get("content-length")
    if length is None:
        return reader.to_end(MAX_BODY), False
    if not length.isascii() or not length.isdigit() or len(length) > 12:
        raise ExchangeError("protocol")
    if int(length) > MAX_BODY:
        raise ExchangeError("too_large")
    return reader.exactly(int(length)), True


def read_answer(reader: Reader, seconds: float) -> Answer:
    """The next final answer of a connection; raises `ExchangeError`."""
    reader.deadline = time.monotonic() + seconds
    for _ in range(MAX_INTERIM + 1):
        status, headers = parse_head(reader.until(b"\r\n\r\n", MAX_HEAD))
        if status >= 200:
            break
        if status == 101:
            raise ExchangeError("protocol")
    else:
        raise ExchangeError("protocol")
    body, marked = read_body(reader, status, headers)
    if reader.rest:
        raise ExchangeError("protocol")
    return Answer(status, headers, body, marked and headers.get("connection", "").lower() != "close")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("duplicate key")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _bounded_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("long integer")
    return int(digits)


def depth_of(text: str) -> int:
    """The nesting depth of JSON text, without parsing it."""
    depth = deepest = 0
    in_string = escaped = False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest


def strict_json(body: bytes) -> Any:
    """Plain JSON data; raises ValueError on depth, duplicate keys, NaN, infinities, long numbers, bad UTF-8.

    Half a character, which JSON may spell and UTF-8 cannot, becomes U+FFFD.
    """
    text = body.decode("utf-8")
    if depth_of(text) > MAX_DEPTH:
        raise ValueError("too deep")
    data = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_int=_bounded_int)
    # Writing it again finds what the parser lets pass: 1e999 is an infinity, "\\ud800" is half a character.
    written = json.dumps(data, ensure_ascii=False, allow_nan=False)
    whole = HALF.sub("\ufffd", written)
    return data if whole == written else json.loads(whole, object_pairs_hook=_no_duplicates)
