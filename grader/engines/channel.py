"""Lines over a container's attached standard streams."""

from __future__ import annotations

import struct
import time
from typing import Any

from grader.engines.base import LINE_BYTES
from grader.errors import InfraError

STDOUT = 1


class StreamChannel:
    """The engine multiplexes both output streams into frames: kind, three zeros, length, bytes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._socket = getattr(stream, "_sock", stream)
        self._frames = b""
        self._lines = b""

    def send(self, line: bytes) -> None:
        try:
            self._socket.settimeout(30)
            self._socket.sendall(line + b"\n")
        except OSError as error:
            raise InfraError("driver_gone") from error

    def receive(self, deadline: float, limit: int = LINE_BYTES) -> bytes:
        """The next line of standard output. Raises `InfraError` past `deadline`, past `limit` bytes or at the end."""
        while b"\n" not in self._lines:
            if len(self._lines) > limit:
                raise InfraError("driver_gone")
            self._fill(deadline)
        line, _, self._lines = self._lines.partition(b"\n")
        return line

    def _fill(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise InfraError("driver_silent")
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(1 << 20)
        except TimeoutError as error:
            raise InfraError("driver_silent") from error
        except OSError as error:
            raise InfraError("driver_gone") from error
        if not data:
            raise InfraError("driver_gone")
        self._frames += data
        self._unpack()

    def _unpack(self) -> None:
        position = 0
        pieces = [self._lines]
        while len(self._frames) - position >= 8:
            kind, length = struct.unpack_from(">BxxxL", self._frames, position)
            if len(self._frames) - position - 8 < length:
                break
            if kind == STDOUT:
                pieces.append(self._frames[position + 8 : position + 8 + length])
            position += 8 + length
        self._frames = self._frames[position:]
        self._lines = b"".join(pieces)

    def close(self) -> None:
        self._stream.close()
        self._socket.close()  # the stream alone would leave it open
        self._socket.close()
