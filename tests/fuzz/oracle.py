"""A second reading of what a server said, written apart from the driver's, to compare it with.

It holds the whole conversation in hand and cares nothing for speed, which keeps it simple enough to be believed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

HEAD, HEADERS, INTERIM, BODY, DEPTH, DIGITS = 16 * 1024, 100, 8, 1 << 20, 32, 20
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: .*)?", re.DOTALL)
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_SIMPLE: dict[str, Any] = {"true": True, "false": False, "null": None}
_PAIR, _HALF = re.compile("[\ud800-\udbff][\udc00-\udfff]"), re.compile("[\ud800-\udfff]")
_BLANKS = " \t\n\r"


class NotWhole(Exception):
    """There is no whole answer that keeps the rules."""


@dataclass(frozen=True)
class Answer:
    """`data` is None where the body is no strict JSON; `rest` is what came after the answer."""

    status: int
    data: Any
    rest: bytes


def read(raw: bytes, ended: bool) -> Answer:
    """The final answer in `raw`; `ended` when the server closed the connection after it. Raises `NotWhole`."""
    for _ in range(INTERIM + 1):
        status, headers, raw = _head(raw)
        if status == 101:
            raise NotWhole("another protocol")
        if status >= 200:
            break
    else:
        raise NotWhole("interim answers only")
    body, rest = _body(status, headers, raw, ended)
    return Answer(status, strict(body), rest)


def _head(raw: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    head, end, rest = raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(lines[0])
    if not end or len(head) > HEAD or len(lines) > HEADERS + 1 or status is None or b"\0" in head:
        raise NotWhole("head")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name.strip() != name:
            raise NotWhole("header")
        headers.append((name.lower(), value.strip()))
    return int(status[1]), headers, rest


def _body(status: int, headers: list[tuple[str, str]], raw: bytes, ended: bool) -> tuple[bytes, bytes]:
    lengths = [value for name, value in headers if name == "content-length"]
    codings = [value for name, value in headers if name == "transfer-encoding"]
    packed = [value for name, value in headers if name == "content-encoding"]
    if (packed and packed[-1].lower() not in ("", "identity")) or len(lengths) > 1 or len(codings) > 1:
        raise NotWhole("coding")
    if status in (204, 304):
        return b"", raw
    if codings:
        if lengths or codings[0].lower() != "chunked":
            raise NotWhole("coding")
        return _chunks(raw)
    if lengths:
        if re.fullmatch(r"[0-9]{1,12}", lengths[0]) is None or not int(lengths[0]) <= min(BODY, len(raw)):
            raise NotWhole("length")
        return raw[: int(lengths[0])], raw[int(lengths[0]) :]
    if not ended or len(raw) > BODY:
        raise NotWhole("no end")
    return raw, b""


def _chunks(raw: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        line, end, raw = raw.partition(b"\r\n")
        size = line.split(b";")[0].strip()
        if not end or len(line) > 1024 or re.fullmatch(rb"[0-9a-fA-F]{1,8}", size) is None:
            raise NotWhole("chunk")
        if int(size, 16) == 0:
            break
        body, end, raw = body + raw[: int(size, 16)], raw[int(size, 16) : int(size, 16) + 2], raw[int(size, 16) + 2 :]
        if end != b"\r\n" or len(body) > BODY:
            raise NotWhole("chunk")
    while True:
        trailer, end, raw = raw.partition(b"\r\n")
        if not end or len(trailer) > HEAD:
            raise NotWhole("trailer")
        if not trailer:
            return body, raw


def strict(body: bytes) -> Any:
    """The JSON value of a body, None where it is not strict."""
    try:
        text = body.decode("utf-8")
        value, at = _value(text, _skip(text, 0), 0)
        if _skip(text, at) != len(text):
            return None
    except (ValueError, IndexError):
        return None
    return value


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    if text[at] == "{":
        pairs, at = _many(text, at, "}", depth + 1, keys=True)
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("the same key twice")
        return dict(pairs), at
    if text[at] == "[":
        return _many(text, at, "]", depth + 1, keys=False)
    if text[at] == '"':
        return _string(text, at)
    for word, value in _SIMPLE.items():
        if text.startswith(word, at):
            return value, at + len(word)
    return _number(text, at)


def _many(text: str, at: int, end: str, depth: int, keys: bool) -> tuple[list[Any], int]:
    if depth > DEPTH:
        raise ValueError("deep")
    found: list[Any] = []
    at = _skip(text, at + 1)
    if text[at] == end:
        return found, at + 1
    while True:
        if keys:
            key, at = _string(text, at)
            at = _skip(text, at)
            if text[at] != ":":
                raise ValueError("no colon")
            at = _skip(text, at + 1)
        value, at = _value(text, at, depth)
        found.append((key, value) if keys else value)
        at = _skip(text, at)
        if text[at] == end:
            return found, at + 1
        if text[at] != ",":
            raise ValueError("no comma")
        at = _skip(text, at + 1)


def _string(text: str, at: int) -> tuple[str, int]:
    if text[at] != '"':
        raise ValueError("no string")
    units: list[str] = []
    at += 1
    while text[at] != '"':
        if text[at] < " ":
            raise ValueError("a control character")
        if text[at] != "\\":
            units.append(text[at])
            at += 1
        elif text[at + 1] == "u":
            if re.fullmatch("[0-9a-fA-F]{4}", text[at + 2 : at + 6]) is None:
                raise ValueError("no character")
            units.append(chr(int(text[at + 2 : at + 6], 16)))
            at += 6
        elif text[at + 1] in _ESCAPES:
            units.append(_ESCAPES[text[at + 1]])
            at += 2
        else:
            raise ValueError("no escape")
    return _HALF.sub("\ufffd", _PAIR.sub(_joined, "".join(units))), at + 1


def _joined(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")


def _number(text: str, at: int) -> tuple[Any, int]:
    found = _NUMBER.match(text, at)
    if found is None:
        raise ValueError("no value")
    if found[2] is None and found[3] is None:
        if len(found[1]) > DIGITS:
            raise ValueError("long")
        return int(found[1]), found.end()
    value = float(found[0])
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value, found.end()


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at
