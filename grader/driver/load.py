"""What the driver does with sockets: ask one by one, spread over connections, take turns."""

from __future__ import annotations

import gc
import json
import random
import select
import socket
import time
from typing import Any

from .http import Answer, ExchangeError, Reader, read_answer, request_bytes, strict_json
from .wire import HandoverError, Helper

Result = dict[str, Any]
ROOM = 4 * 1024 * 1024  # of one command's answers, so that they fit into the driver and into one line to the grader


def failed(problem: str) -> Result:
    return {"status": None, "json": None, "problem": problem}


def described(answer: Answer) -> Result:
    """An answer as plain data; `json` is None where the body is no strict JSON."""
    try:
        data = strict_json(answer.body)
    except (ValueError, RecursionError):
        data = None
    return {"status": answer.status, "json": data, "problem": None}


def receive(reader: Reader, seconds: float) -> Result:
    """The next answer of a connection as plain data."""
    try:
        return described(read_answer(reader, seconds))
    except ExchangeError as error:
        return failed(str(error))


def ask(
    helper: Helper, port: int, requests: list[Result], seconds: float, phase: float, room: int = ROOM
) -> list[Result]:
    """One connection for each request, after the pause that it asks for; those past the phase's end are not sent."""
    deadline = time.monotonic() + phase
    results: list[Result] = []
    for request in requests:
        time.sleep(max(0.0, min(request.get("pause", 0.0), deadline - time.monotonic())))
        left = deadline - time.monotonic()
        if left <= 0:
            results.append(failed("timeout"))
            continue
        result = ask_once(helper, port, request, min(seconds, left))
        room -= len(json.dumps(result))
        results.append(result if room >= 0 else failed("too_large"))
    return results


def ask_once(helper: Helper, port: int, request: Result, seconds: float) -> Result:
    try:
        sock = helper.sockets(port)[0]
    except HandoverError as error:
        return failed(str(error))
    with sock:
        body = request.get("body")
        sock.settimeout(seconds)
        try:
            sock.sendall(request_bytes(request["method"], request["path"], body and body.encode(), close=True))
        except OSError as error:
            return failed("timeout" if isinstance(error, TimeoutError) else "closed")
        started = time.perf_counter()
        result = receive(Reader(sock), seconds)
        result["ms"] = round((time.perf_counter() - started) * 1000, 3)
        return result


def unread(sock: socket.socket) -> bool:
    """Whether a readable socket holds bytes, and not just the end."""
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


class Line:
    """A keep-alive connection that is opened again when the server closed it."""

    def __init__(self, helper: Helper, port: int) -> None:
        self._helper = helper
        self._port = port
        self.reader: Reader | None = None

    def open(self) -> Reader:
        """The connection, a new one where the server hung up. Raises `ExchangeError` when it spoke unasked."""
        if self.reader is not None and select.select([self.reader.sock], [], [], 0)[0]:
            if unread(self.reader.sock):
                raise ExchangeError("protocol")
            self.close()
        if self.reader is None:
            self.reader = Reader(self._helper.sockets(self._port)[0])
        return self.reader

    def exchange(self, payload: bytes, seconds: float) -> Answer:
        """Send and read one answer; the connection is dropped after trouble. Raises `ExchangeError`."""
        try:
            reader = self.open()
            reader.sock.settimeout(seconds)
            reader.sock.sendall(payload)
            answer = read_answer(reader, seconds)
        except (OSError, HandoverError, ExchangeError) as error:
            self.close()
            raise ExchangeError(str(error) if isinstance(error, ExchangeError) else "closed") from error
        if not answer.keep:
            self.close()
        return answer

    def close(self) -> None:
        if self.reader is not None:
            self.reader.sock.close()
            self.reader = None


def spread(helper: Helper, port: int, path: str, bodies: list[str], lines: int, seconds: float, phase: float) -> Result:
    """The bodies one after the other over `lines` keep-alive connections in turn; counts failures."""
    deadline = time.monotonic() + phase
    connections = [Line(helper, port) for _ in range(lines)]
    failures = done = 0
    try:
        for connection in connections:
            connection.open()
        for index, body in enumerate(bodies):
            if time.monotonic() > deadline:
                failures += len(bodies) - index
                break
            payload = request_bytes("POST", path, body.encode(), close=False)
            done += 1
            try:
                failures += connections[index % lines].exchange(payload, seconds).status != 200
            except ExchangeError:
                failures += 1
    except HandoverError:
        failures += len(bodies) - done
    finally:
        for connection in connections:
            connection.close()
    return {"sent": done, "failures": failures}


def one_turn(line: Line, payloads: list[bytes], seconds: float) -> tuple[list[float], list[Any], int]:
    """One throw-away request and the measured ones: milliseconds, labels answered, failures."""
    times: list[float] = []
    answers: list[Answer | None] = []
    for payload in payloads:
        started = time.perf_counter()
        try:
            answers.append(line.exchange(payload, seconds))
        except ExchangeError:
            answers.append(None)
        times.append(round((time.perf_counter() - started) * 1000, 4))
    # Read what was said only now: parsing inside the timed part would add the same to both sides.
    labels = [label_of(answer) for answer in answers]
    return times[1:], labels, sum(label is None for label in labels)


def label_of(answer: Answer | None) -> Any:
    """The label answered, None where there is no proper answer."""
    data = described(answer)["json"] if answer is not None and answer.status == 200 else None
    return data.get("label") if isinstance(data, dict) else None


def turns(sides: dict[str, Helper], ports: dict[str, int], path: str, bodies: list[str], count: int, measured: int,
          seed: int, seconds: float, phase: float) -> Result:  # fmt: skip
    """Alternating turns of one throw-away and `measured` requests, same bodies, random side first.

    Single requests in turn would compress the ratio and a fixed order would bias it. Blocking reads:
    a busy wait would take the core from one of the services.
    """
    chance = random.Random(seed)
    lines = {side: Line(helper, ports[side]) for side, helper in sides.items()}
    payloads = [request_bytes("POST", path, body.encode(), close=False) for body in bodies]
    deadline = time.monotonic() + phase
    rows: list[Result] = []
    failures = dict.fromkeys(sides, 0)
    disagreements = 0
    gc.disable()
    try:
        while len(rows) < count and time.monotonic() < deadline and max(failures.values()) < 20:
            chosen = [chance.choice(payloads) for _ in range(measured + 1)]
            order = chance.sample(sorted(sides), len(sides))
            row: Result = {"first": order[0]}
            answered = {}
            for side in order:
                row[side], answered[side], missed = one_turn(lines[side], chosen, seconds)
                failures[side] += missed
            disagreements += len({str(labels) for labels in answered.values()}) > 1
            rows.append(row)
    finally:
        gc.enable()
        for line in lines.values():
            line.close()
    return {"turns": rows, "failures": failures, "disagreements": disagreements}
