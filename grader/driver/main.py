"""The driver: one JSON command a line in, one JSON answer a line out."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from . import load
from .http import Reader, request_bytes
from .wire import HandoverError, Switchboard

HELPER_SECONDS = 20.0


class Driver:
    """Carries out the grader's commands; the names of the methods are the names of the commands."""

    def __init__(self) -> None:
        self._board = Switchboard()
        self._held: Reader | None = None

    def hello(self, command: dict[str, Any]) -> Any:
        return {"ready": True}

    def listeners(self, command: dict[str, Any]) -> Any:
        return self._helper(command["helper"]).listeners()

    def ask(self, command: dict[str, Any]) -> Any:
        helper = self._helper(command["helper"])
        return load.ask(
            helper, command["port"], command["requests"], command["seconds"], command["phase"],
            load.ROOM // command["sharing"],
        )  # fmt: skip

    def until_ready(self, command: dict[str, Any]) -> Any:
        """Ask for health until it says 200, at most `phase` seconds; the last answer."""
        helper = self._helper(command["helper"])
        deadline = time.monotonic() + command["phase"]
        request = {"method": "GET", "path": command["path"]}
        while True:
            result = load.ask_once(helper, command["port"], request, command["seconds"])
            if result["status"] == 200 or time.monotonic() > deadline:
                return result
            time.sleep(0.02)

    def spread(self, command: dict[str, Any]) -> Any:
        helper = self._helper(command["helper"])
        return load.spread(
            helper, command["port"], command["path"], command["bodies"], command["lines"],
            command["seconds"], command["phase"],
        )  # fmt: skip

    def turns(self, command: dict[str, Any]) -> Any:
        sides = {side: self._helper(name) for side, name in command["sides"].items()}
        return load.turns(
            sides, command["ports"], command["path"], command["bodies"], command["count"], command["measured"],
            command["seed"], command["seconds"], command["phase"],
        )  # fmt: skip

    def hold(self, command: dict[str, Any]) -> Any:
        """Send one request and do not wait for its answer."""
        sock = self._helper(command["helper"]).sockets(command["port"])[0]
        sock.sendall(request_bytes("POST", command["path"], command["body"].encode(), close=True))
        self._held = Reader(sock)
        return {"sent": True}

    def collect(self, command: dict[str, Any]) -> Any:
        """The answer to the held request."""
        if self._held is None:
            return load.failed("closed")
        result = load.receive(self._held, command["seconds"])
        self._held.sock.close()
        self._held = None
        return result

    def forget(self, command: dict[str, Any]) -> Any:
        self._board.forget(command["helper"])
        return {}

    def _helper(self, name: str) -> Any:
        return self._board.helper(name, HELPER_SECONDS)


def main() -> None:
    """Answer commands until the grader closes the input."""
    driver = Driver()
    for line in sys.stdin.buffer:
        command = json.loads(line)
        try:
            answer = {"result": getattr(driver, command["op"])(command)}
        except (HandoverError, OSError) as error:
            answer = {"error": str(error) if isinstance(error, HandoverError) else "gone"}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()
