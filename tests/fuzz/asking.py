"""What the driver makes of malformed answers: in time, without an exception, and never taking one for strict."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from grader.driver import load
from grader.driver.http import Reader, request_bytes

from . import oracle
from .answers import Case, Server, case

SECONDS, SLACK = 0.2, 1.0
ONE_READ = 32 * 1024  # what comes in one piece of this size is read at once
PROBLEMS = ("refused", "timeout", "protocol", "too_large", "closed", "gone")
BODY = '{"pixels":[1]}'
REQUEST = {"method": "POST", "path": "/predict", "body": BODY}
GOOD = b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 11\r\n\r\n{"label":7}'
Row = dict[str, Any]


class Bench:
    """Two servers, one that is malformed as told and one that is always right."""

    def __init__(self) -> None:
        self.hostile, self.good = Server(case(0)), Server(Case("good", (GOOD,)))
        # Most are asked as an answer is asked for; the other ways share the reading.
        self._ways: tuple[Callable[[Case], list[str]], ...] = (
            self._asked, self._asked, self._received, self._asked, self._spread, self._asked, self._turns,
            self._received,
        )  # fmt: skip

    def close(self) -> None:
        self.hostile.close()
        self.good.close()

    def trial(self, number: int) -> Row:
        """One malformed answer asked for in one way, and everything that is wrong with how it went."""
        played = self.hostile.case = case(number)
        way = self._ways[(number // 14) % len(self._ways)]
        began = time.monotonic()
        try:
            faults = way(played)
        except Exception as error:
            faults = [f"raised: {type(error).__name__} {error}"]
        return {"number": number, "kind": played.kind, "way": way.__name__.strip("_"), "faults": faults,
                "seconds": round(time.monotonic() - began, 3)}  # fmt: skip

    def _asked(self, played: Case) -> list[str]:
        began = time.monotonic()
        result = load.ask_once(self.hostile, self.hostile.port, REQUEST, SECONDS)
        return hung(began, 2 * SECONDS) + misread(result, played)

    def _received(self, played: Case) -> list[str]:
        with self.hostile.sockets(0)[0] as sock:
            sock.sendall(request_bytes("POST", "/predict", BODY.encode(), close=True))
            began = time.monotonic()
            result = load.receive(Reader(sock), SECONDS)
        return hung(began, SECONDS) + misread(result, played)

    def _spread(self, played: Case) -> list[str]:
        began = time.monotonic()
        result = load.spread(self.hostile, self.hostile.port, "/predict", [BODY] * 3, 2, SECONDS, 3 * SECONDS)
        found = hung(began, 5 * SECONDS)
        fine = any(answer.status == 200 for answer in readings(played))
        if not fine and result["failures"] != 3:
            found.append(f"accepted: {result}")
        return found

    def _turns(self, played: Case) -> list[str]:
        began = time.monotonic()
        sides = {"student": self.hostile, "yardstick": self.good}
        ports = {side: server.port for side, server in sides.items()}
        result = load.turns(sides, ports, "/predict", [BODY], 2, 1, 7, SECONDS, 5 * SECONDS)
        found = hung(began, 5 * SECONDS + 8 * SECONDS)
        data = [answer.data for answer in readings(played) if answer.status == 200]
        fine = any(isinstance(value, dict) and value.get("label") is not None for value in data)
        if not fine and result["failures"]["student"] != 2 * len(result["turns"]):
            found.append(f"accepted: {result}")
        return found


def hung(began: float, seconds: float) -> list[str]:
    took = time.monotonic() - began
    return [f"hung: {took:.2f} s instead of {seconds:.2f} s"] if took > seconds + SLACK else []


def readings(played: Case) -> list[oracle.Answer]:
    """Every answer that may be read: of all that is sent, or of the pieces that had come by then."""
    found = []
    for count in range(1, len(played.pieces) + 1):
        complete = count == len(played.pieces)
        try:
            answer = oracle.read(b"".join(played.pieces[:count]), complete and played.end == "close")
        except oracle.NotWhole:
            continue
        if not answer.rest or (len(played.pieces) == 1 and len(played.raw) > ONE_READ):
            found.append(answer)
    return [] if played.endless else found


def misread(result: Row, played: Case) -> list[str]:
    """Whether a result says other than what the second reading finds."""
    json.dumps(result, allow_nan=False)
    if result["problem"] is not None:
        found = [] if result["problem"] in PROBLEMS else [f"shape: {result['problem']}"]
        return found + ([f"refused: {result['problem']}"] if played.kind == "whole" else [])
    said = [(answer.status, json.dumps(answer.data, sort_keys=True)) for answer in readings(played)]
    heard = (result["status"], json.dumps(result["json"], sort_keys=True))
    return [] if heard in said else [f"accepted: {str(heard)[:80]}"]
