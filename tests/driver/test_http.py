"""A student's server that answers with anything but an answer: the driver ends in time and says what was wrong."""

from __future__ import annotations

import itertools
import json
import socket
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.driver import http, load
from grader.records import Evidence

from . import servers

SECONDS = 0.4
PROBLEMS = {"timeout", "closed", "too_large", "protocol"}
ASK = {"method": "POST", "path": "/predict", "body": '{"pixels":[]}'}


def asked(script: servers.Script) -> load.Result:
    """What the driver makes of a server, checked to come in time and to survive every border it will cross."""
    started = time.monotonic()
    result = load.ask_once(servers.Scripted(script), 8000, ASK, SECONDS)
    assert time.monotonic() - started < SECONDS + 10
    assert json.loads(json.dumps(result)) == result
    Evidence(lab="05", seed=1, sections={"normal": {"answers": result}}).model_dump_json()
    return result


def answer(body: bytes = b"{}", *headers: bytes, status: bytes = b"HTTP/1.1 200 OK", length: bool = True) -> bytes:
    lines = [status, *headers, *([b"Content-Length: %d" % len(body)] if length else [])]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def many(count: int) -> list[bytes]:
    return [b"X-%d: y" % number for number in range(count)]


INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
HONEST = {
    "with a length": answer(),
    "without a length": answer(length=False),
    "HTTP/1.0": answer(status=b"HTTP/1.0 200 OK"),
    "no reason phrase": answer(status=b"HTTP/1.1 200"),
    "eight interim answers": INTERIM * 8 + answer(),
    "a hundred headers": answer(b"{}", *many(99)),
    "in chunks": answer(b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n", CHUNKED, length=False),
    "in chunks with a trailer": answer(b"2\r\n{}\r\n0\r\nX: y\r\n\r\n", CHUNKED, length=False),
    "coded as itself": answer(b"{}", b"Content-Encoding: identity"),
}
HOSTILE = {
    "nothing": (b"", "closed"),
    "HTTP/0.9": (b"<html>hello</html>", "closed"),
    "HTTP/0.9 with blank lines": (b"hello\r\n\r\n{}", "protocol"),
    "HTTP/2": (answer(status=b"HTTP/2 200 OK"), "protocol"),
    "no status": (answer(status=b"HTTP/1.1"), "protocol"),
    "status 99": (answer(status=b"HTTP/1.1 99 Odd"), "protocol"),
    "status 099": (answer(status=b"HTTP/1.1 099 Odd"), "protocol"),
    "status 2000": (answer(status=b"HTTP/1.1 2000 Odd"), "protocol"),
    "status abc": (answer(status=b"HTTP/1.1 abc Odd"), "protocol"),
    "status in Arabic digits": (answer(status="HTTP/1.1 ٢٠٠ OK".encode()), "protocol"),
    "nine interim answers": (INTERIM * 9 + answer(), "protocol"),
    "switching protocols": (answer(b"", status=b"HTTP/1.1 101 Switching"), "protocol"),
    "101 headers": (answer(b"{}", *many(100)), "protocol"),
    "one header of 20 KiB": (answer(b"{}", b"X: " + b"y" * 20480), "too_large"),
    "a header without a colon": (answer(b"{}", b"nonsense"), "protocol"),
    "a header without a name": (answer(b"{}", b": x"), "protocol"),
    "a space before the colon": (answer(b"{}", b"Content-Type : x"), "protocol"),
    "a folded header": (answer(b"{}", b"X: y", b" z"), "protocol"),
    "NUL in the status line": (answer(status=b"HTTP/1.1 200 O\0K"), "protocol"),
    "NUL in a header": (answer(b"{}", b"X: \0"), "protocol"),
    "gzip": (answer(b"{}", b"Content-Encoding: gzip"), "protocol"),
    "two lengths": (answer(b"{}", b"Content-Length: 2"), "protocol"),
    "two lengths in one": (answer(b"{}", b"Content-Length: 2, 2", length=False), "protocol"),
    "length of -1": (answer(b"{}", b"Content-Length: -1", length=False), "protocol"),
    "length of +2": (answer(b"{}", b"Content-Length: +2", length=False), "protocol"),
    "length of 0x2": (answer(b"{}", b"Content-Length: 0x2", length=False), "protocol"),
    "length of nothing": (answer(b"{}", b"Content-Length:", length=False), "protocol"),
    "length of ²": (answer(b"{}", b"Content-Length: \xb2", length=False), "protocol"),
    "length of 2 MiB": (answer(b"{}", b"Content-Length: 2097152", length=False), "too_large"),
    "length of 40 digits": (answer(b"{}", b"Content-Length: " + b"9" * 40, length=False), "protocol"),
    "length too long by one": (answer(b"{}", b"Content-Length: 3", length=False), "closed"),
    "length too short by one": (answer(b"{}", b"Content-Length: 1", length=False), "protocol"),
    "a second answer": (answer() + answer(), "protocol"),
    "length and chunks": (answer(b"0\r\n\r\n", CHUNKED), "protocol"),
    "chunks twice": (answer(b"0\r\n\r\n", CHUNKED, CHUNKED, length=False), "protocol"),
    "gzip in chunks": (answer(b"0\r\n\r\n", b"Transfer-Encoding: gzip, chunked", length=False), "protocol"),
    "a chunk of 4 GiB": (answer(b"FFFFFFFF\r\n", CHUNKED, length=False), "too_large"),
    "a chunk of more": (answer(b"1" + b"0" * 40 + b"\r\n", CHUNKED, length=False), "protocol"),
    "a chunk of -1": (answer(b"-1\r\n", CHUNKED, length=False), "protocol"),
    "a chunk of 0x1": (answer(b"0x1\r\n{\r\n", CHUNKED, length=False), "protocol"),
    "a chunk of 1_0": (answer(b"1_0\r\n{\r\n", CHUNKED, length=False), "protocol"),
    "a chunk of nothing": (answer(b"\r\n", CHUNKED, length=False), "protocol"),
    "a chunk without its end": (answer(b"1\r\n{}\r\n0\r\n\r\n", CHUNKED, length=False), "protocol"),
    "chunks cut short": (answer(b"5\r\n{}", CHUNKED, length=False), "closed"),
    "no last chunk": (answer(b"2\r\n{}\r\n", CHUNKED, length=False), "closed"),
    "an endless chunk size": (answer(b"0" * 5000, CHUNKED, length=False), "too_large"),
    "2 MiB without a length": (answer(b"x" * 2_097_152, length=False), "too_large"),
}
ENDLESS = {
    "silence": (servers.silent, "timeout"),
    "a reset": (servers.resets, "closed"),
    "one byte at a time": (servers.streams(lambda: itertools.repeat(b"H"), 0.02), "timeout"),
    "headers without end": (servers.streams(lambda: (b"X-%d: y\r\n" % n for n in itertools.count())), "too_large"),
    "interim answers without end": (servers.streams(lambda: itertools.repeat(INTERIM)), "protocol"),
    "a body without end": (
        servers.streams(lambda: itertools.chain([answer(length=False)], itertools.repeat(b"x" * 65536))),
        "too_large",
    ),
    "a dripping body": (
        servers.streams(lambda: itertools.chain([answer(length=False)], itertools.repeat(b"x")), 0.02),
        "timeout",
    ),
    "trailers without end": (
        servers.streams(
            lambda: itertools.chain([answer(b"0\r\n", CHUNKED, length=False)], itertools.repeat(b"X: y\r\n" * 500))
        ),
        "timeout",
    ),
}
BODIES = {
    "no JSON": b"hello",
    "nothing": b"",
    "half of it": b'{"label": 7',
    "two values": b"{}{}",
    "not UTF-8": b'{"label": "\xff"}',
    "UTF-16": '{"label": 7}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "half a character in two keys": b'{"\\udfff": 7, "\\ud800": 7}',
    "half a character in bytes": b'{"label": "\xed\xa0\x80"}',
    "the same key twice": b'{"label": 1, "label": 2}',
    "the same key twice inside": b'[{"a": {"b": 1, "b": 1}}]',
    "NaN": b'{"label": NaN}',
    "Infinity": b'{"label": -Infinity}',
    "an infinity by its exponent": b'{"label": 1e999}',
    "an integer of 30 digits": b'{"label": 123456789012345678901234567890}',
    "33 deep": b"[" * 33 + b"]" * 33,
    "as deep as a body can be": b"[" * 500_000 + b"]" * 500_000,
    "deep and never closed": b"[" * 1_000_000,
    "deep in objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("data", HONEST.values(), ids=HONEST)
def test_an_unusual_but_honest_answer_is_not_held_against_the_student(data: bytes) -> None:
    result = asked(servers.says(data))
    assert (result["status"], result["json"], result["problem"]) == (200, {}, None)


@pytest.mark.parametrize(("data", "problem"), HOSTILE.values(), ids=HOSTILE)
def test_a_broken_answer_is_named(data: bytes, problem: str) -> None:
    assert asked(servers.says(data)) | {"ms": 0} == load.failed(problem) | {"ms": 0}


@pytest.mark.parametrize(("script", "problem"), ENDLESS.values(), ids=ENDLESS)
def test_an_endless_answer_ends_with_the_deadline(script: servers.Script, problem: str) -> None:
    assert asked(script)["problem"] == problem


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_strict_json_counts_as_none(body: bytes) -> None:
    result = asked(servers.says(answer(body)))
    assert (result["status"], result["json"], result["problem"]) == (200, None, None)


def test_a_body_of_a_million_tiny_chunks_cannot_hold_up_the_driver() -> None:
    chunks = itertools.chain([answer(b"", CHUNKED, length=False)], itertools.repeat(b"1\r\nx\r\n" * 10_000))
    assert asked(servers.streams(lambda: chunks))["problem"] in ("timeout", "too_large")


def test_a_number_of_a_million_digits_cannot_hold_up_the_driver() -> None:
    assert asked(servers.says(answer(b"0." + b"1" * 1_000_000)))["status"] == 200


def test_json_32_deep_and_20_digits_long_is_still_read() -> None:
    assert http.strict_json(b"[" * 32 + b"]" * 32) is not None
    assert http.strict_json(b"12345678901234567890") == 12345678901234567890
    assert http.strict_json(rb'"a [ string \" full {[ of brackets"') == 'a [ string " full {[ of brackets'


def test_half_a_character_is_shown_as_such_and_spoils_nothing_else() -> None:
    read = http.strict_json(rb'{"status": "ok", "x": ["\ud800", "\ud83d\ude00"], "\udfff": 7}')
    assert read == {"status": "ok", "x": ["\ufffd", "\U0001f600"], "\ufffd": 7}


def test_a_status_other_than_200_comes_with_its_body() -> None:
    result = asked(servers.says(answer(b'{"detail": "x"}', status=b"HTTP/1.1 422 No")))
    assert (result["status"], result["json"]) == (422, {"detail": "x"})


def test_an_answer_without_a_body_needs_no_length() -> None:
    assert asked(servers.says(answer(b"", status=b"HTTP/1.1 204 No Content", length=False)))["status"] == 204


PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.0 500 X\r\n", b"HTTP/1.1 ", b"200", b"\r\n",
        b"\r\n\r\n", b"\n", b"Content-Length: 2\r\n", b"Content-Length: 99\r\n", b"Content-Length: -\r\n", b"{}", b"[[",
        b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Content-Encoding: br\r\n", b"0\r\n\r\n",
        b"2\r\n{}\r\n", b"ffffffff\r\n", b";", b":", b" ", b"\0", b'{"label": 1e999}', b'"\\ud800"', b"\xff\xfe",
    ]
)  # fmt: skip


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PIECES | st.binary(max_size=40), max_size=12).map(b"".join))
def test_no_answer_whatever_makes_the_driver_fail(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        result = load.receive(http.Reader(ours), 5)
    assert set(result) == {"status", "json", "problem"}
    assert result["problem"] in PROBLEMS or (result["problem"] is None and 200 <= result["status"] <= 999)
    Evidence(lab="05", seed=1, sections={"normal": {"answers": result}}).model_dump_json()


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: json.dumps({text: text}).encode()))
def test_strict_json_knows_one_way_to_fail(data: bytes) -> None:
    try:
        value = http.strict_json(data)
    except ValueError:
        return
    assert value == json.loads(data)
