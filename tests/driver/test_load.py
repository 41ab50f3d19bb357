"""A hostile or merely slow service while many requests are made: the counts stay true and nothing escapes."""

from __future__ import annotations

import gc
import json
import socket
import threading
import time
from collections.abc import Callable

import pytest

from grader.driver import load
from grader.driver.wire import HandoverError

from . import servers
from .servers import OK, Scripted, keeps_saying, request, says

BODIES = [f'{{"pixels":[{number}]}}' for number in range(6)]
HOSTILE: dict[str, servers.Script] = {
    "nothing": says(b""),
    "no HTTP": says(b"hello\r\n\r\n"),
    "an error": keeps_saying(OK.replace(b"200 OK", b"500 No")),
    "a length that lies": says(OK.replace(b"11", b"9999999999")),
    "resets": servers.resets,
}


def spread(helper: Scripted, count: int = 6, lines: int = 2, seconds: float = 0.3, phase: float = 20) -> load.Result:
    return load.spread(helper, 8000, "/predict", BODIES[:count], lines, seconds, phase)


def turns(student: Scripted, yardstick: Scripted, count: int = 5, seconds: float = 0.2, seed: int = 1) -> load.Result:
    sides = {"student": student, "yardstick": yardstick}
    return load.turns(sides, dict.fromkeys(sides, 8000), "/predict", BODIES, count, 4, seed, seconds, 20)


def test_load_keeps_connections_open_where_the_server_does() -> None:
    helper = Scripted(keeps_saying(OK))
    assert spread(helper) == {"sent": 6, "failures": 0}
    assert helper.opened == 2


def test_a_server_that_closes_after_each_answer_loses_nothing() -> None:
    helper = Scripted(says(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")))
    assert spread(helper) == {"sent": 6, "failures": 0}


def test_a_server_that_hangs_up_an_idle_connection_loses_nothing() -> None:
    helper = Scripted(says(OK))
    line = load.Line(helper, 8000)
    payload = load.request_bytes("POST", "/predict", b"{}", close=False)
    assert line.exchange(payload, 60).status == 200
    helper.wait_for_the_end()
    assert line.exchange(payload, 60).status == 200
    line.close()
    assert helper.opened == 2


def test_an_answer_sent_before_its_question_is_no_answer() -> None:
    """A service that answers ahead would look faster than it is."""
    answered, ahead_of_time = threading.Event(), threading.Event()

    def ahead(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(OK)
        answered.wait()
        sock.sendall(OK)
        ahead_of_time.set()
        while request(sock):
            pass

    line = load.Line(Scripted(ahead), 8000)
    payload = load.request_bytes("POST", "/predict", b"{}", close=False)
    line.exchange(payload, 60)
    answered.set()
    ahead_of_time.wait()
    with pytest.raises(load.ExchangeError, match="protocol"):
        line.exchange(payload, 1)
    assert line.reader is None


@pytest.mark.parametrize("script", HOSTILE.values(), ids=HOSTILE)
def test_every_failed_request_of_a_load_is_counted(script: servers.Script) -> None:
    assert spread(Scripted(script)) == {"sent": 6, "failures": 6}


def test_a_load_on_a_service_that_is_gone_is_all_failures() -> None:
    assert spread(Scripted(keeps_saying(OK), opens=0))["failures"] == 6


def test_a_load_on_a_service_that_dies_half_way_counts_the_rest() -> None:
    helper = Scripted(says(OK), opens=3)
    result = spread(helper)
    assert result["sent"] == 6
    assert result["failures"] == 3


def test_a_load_ends_with_its_phase() -> None:
    result = spread(Scripted(servers.silent), seconds=0.2, phase=0.3)
    assert result["failures"] == 6
    assert result["sent"] < 6


def test_both_sides_of_a_turn_get_the_same_bodies_in_a_seeded_order() -> None:
    heard: dict[str, list[bytes]] = {"student": [], "yardstick": []}

    def hearing(side: str) -> servers.Script:
        def script(sock: socket.socket) -> None:
            while data := request(sock):
                heard[side].append(data)
                sock.sendall(OK)

        return script

    first = turns(Scripted(hearing("student")), Scripted(hearing("yardstick")), count=40)
    again = turns(Scripted(keeps_saying(OK)), Scripted(keeps_saying(OK)), count=40)

    assert heard["student"] == heard["yardstick"]
    assert len(heard["student"]) == 40 * 5
    order = [row["first"] for row in first["turns"]]
    assert order == [row["first"] for row in again["turns"]]
    assert 8 < order.count("student") < 32
    assert {len(row[side]) for row in first["turns"] for side in heard} == {4}
    assert first["failures"] == {"student": 0, "yardstick": 0}
    assert first["disagreements"] == 0


@pytest.mark.parametrize("script", HOSTILE.values(), ids=HOSTILE)
def test_turns_with_a_hostile_side_stop_early_and_blame_that_side(script: servers.Script) -> None:
    result = turns(Scripted(script), Scripted(keeps_saying(OK)), count=50)
    assert result["failures"]["student"] == 20
    assert result["failures"]["yardstick"] == 0
    assert len(result["turns"]) == 4
    assert gc.isenabled()


def test_turns_against_a_service_that_is_gone_end() -> None:
    assert turns(Scripted(says(OK), opens=0), Scripted(keeps_saying(OK)))["failures"]["student"] == 20


@pytest.mark.parametrize("label", [[7], {"a": 1}, "7", 8.0, True, [[]] * 9], ids=str)
def test_a_label_of_another_kind_is_a_disagreement_and_no_crash(label: object) -> None:
    body = json.dumps({"label": label}).encode()
    odd = keeps_saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    result = turns(Scripted(odd), Scripted(keeps_saying(OK)), count=2)
    assert result["disagreements"] == 2


def test_questions_past_the_phase_are_not_asked() -> None:
    helper = Scripted(servers.silent)
    asked = [{"method": "GET", "path": "/health"}] * 5
    results = load.ask(helper, 8000, asked, seconds=0.2, phase=0.3)
    assert [result["problem"] for result in results] == ["timeout"] * 5
    assert helper.opened == 2


def test_huge_answers_do_not_fill_the_driver_or_the_line_to_the_grader() -> None:
    """Fifty answers of a mebibyte of brackets each would be gigabytes of lists."""
    body = b"[" + b"[]," * 340_000 + b"[]]"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    results = load.ask(Scripted(says(answer)), 8000, [{"method": "GET", "path": "/"}] * 6, 5, 30)
    assert len(json.dumps(results)) < 5 * 1024 * 1024
    assert results[0]["problem"] is None
    assert results[-1]["problem"] == "too_large"


@pytest.mark.parametrize("reason", ["refused", "timeout", "gone"])
def test_a_socket_that_could_not_be_had_is_a_result(reason: str) -> None:
    class Without:
        def sockets(self, port: int) -> list[socket.socket]:
            raise HandoverError(reason)

    assert load.ask_once(Without(), 8000, {"method": "GET", "path": "/"}, 1)["problem"] == reason


def test_a_service_that_reads_nothing_runs_into_the_deadline() -> None:
    def deaf(sock: socket.socket) -> None:
        time.sleep(5)

    huge = {"method": "POST", "path": "/predict", "body": "x" * 4_000_000}
    assert load.ask_once(Scripted(deaf), 8000, huge, 0.3)["problem"] == "timeout"


def test_no_connection_is_left_open_behind() -> None:
    given: list[socket.socket] = []

    class Watched(Scripted):
        def sockets(self, port: int, count: int = 1) -> list[socket.socket]:
            given.extend(made := super().sockets(port, count))
            return made

    ends: list[Callable[[], object]] = [
        lambda: spread(Watched(keeps_saying(OK))),
        lambda: spread(Watched(servers.silent), count=2),
        lambda: turns(Watched(says(b"x")), Watched(keeps_saying(OK))),
        lambda: load.ask(Watched(says(b"x")), 8000, [{"method": "GET", "path": "/"}], 1, 2),
    ]
    for end in ends:
        end()
    assert given
    assert {sock.fileno() for sock in given} == {-1}
