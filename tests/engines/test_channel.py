"""Frames of a container's output that come torn, mixed or not at all."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.engines.channel import StreamChannel
from grader.errors import InfraError


def frame(data: bytes, kind: int = 1) -> bytes:
    return struct.pack(">BxxxL", kind, len(data)) + data


@pytest.fixture
def ends() -> Iterator[tuple[StreamChannel, socket.socket]]:
    ours, theirs = socket.socketpair()
    line = StreamChannel(ours)
    with theirs:
        yield line, theirs
    line.close()


def soon() -> float:
    return time.monotonic() + 60


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.lists(st.binary(max_size=50).filter(lambda line: b"\n" not in line), min_size=1, max_size=5))
def test_lines_are_the_same_however_they_are_cut_into_frames(data: st.DataObject, lines: list[bytes]) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    frames = [stream[first:last] for first, last in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"".join(frame(b"noise\n", 2) + frame(piece) for piece in frames))
        line = StreamChannel(ours)
        assert [line.receive(soon()) for _ in lines] == lines


def test_a_frame_that_comes_byte_by_byte_is_put_together(ends: tuple[StreamChannel, socket.socket]) -> None:
    line, theirs = ends

    def drip() -> None:
        for byte in frame(b"hel") + frame(b"lo\n"):
            theirs.sendall(bytes([byte]))
            time.sleep(0.002)

    threading.Thread(target=drip, daemon=True).start()
    assert line.receive(soon()) == b"hello"


def test_what_is_sent_arrives_as_a_line(ends: tuple[StreamChannel, socket.socket]) -> None:
    line, theirs = ends
    line.send(b'{"op":"hello"}')
    assert theirs.recv(100) == b'{"op":"hello"}\n'


def test_silence_ends_with_the_deadline(ends: tuple[StreamChannel, socket.socket]) -> None:
    line, theirs = ends
    theirs.sendall(frame(b"half a line"))
    started = time.monotonic()
    with pytest.raises(InfraError) as caught:
        line.receive(started + 0.2)
    assert caught.value.code == "driver_silent"
    assert time.monotonic() - started < 20


def test_a_deadline_in_the_past_is_silence_and_not_a_wait(ends: tuple[StreamChannel, socket.socket]) -> None:
    with pytest.raises(InfraError) as caught:
        ends[0].receive(time.monotonic() - 1)
    assert caught.value.code == "driver_silent"


@pytest.mark.parametrize("last", [b"", frame(b"half a line"), b"\x01\0\0", frame(b"on standard error\n", 2)])
def test_the_end_is_no_line(ends: tuple[StreamChannel, socket.socket], last: bytes) -> None:
    line, theirs = ends
    theirs.sendall(last)
    theirs.close()
    with pytest.raises(InfraError) as caught:
        line.receive(soon())
    assert caught.value.code == "driver_gone"


def test_a_line_without_end_is_given_up(ends: tuple[StreamChannel, socket.socket]) -> None:
    ends[1].sendall(frame(b"x" * 2000))
    with pytest.raises(InfraError) as caught:
        ends[0].receive(soon(), limit=1000)
    assert caught.value.code == "driver_gone"


def test_sending_to_nobody_is_said_as_such(ends: tuple[StreamChannel, socket.socket]) -> None:
    line, theirs = ends
    theirs.close()
    with pytest.raises(InfraError) as caught:
        for _ in range(3):
            line.send(b"x" * 100_000)
    assert caught.value.code == "driver_gone"
