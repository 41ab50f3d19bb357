"""A service that does not start, dies or will not stop: it is named rightly, and never our trouble."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from grader.engines.base import RunRequest
from grader.engines.table import Behaviour, Refusal
from grader.probes import memory
from grader.records import Limits, StartSpec

from ..stand import DOCKERFILE, NOTHING, STARTS, STUDENT, Stand, for_student, picture

NOT_READY: dict[str, tuple[Any, Any]] = {
    "not_listening": (None, []),
    "wrong_port": (None, [{"address": "00000000", "port": 5000}]),
    "unhealthy": (503, [{"address": "00000000", "port": 8000}]),
    "loopback_only": (200, [{"address": "0100007F", "port": 8000}]),
}


@pytest.mark.parametrize("problem", NOT_READY)
def test_a_service_that_is_not_ready_is_started_once_and_no_more(stand: Stand, problem: str) -> None:
    status, listeners = NOT_READY[problem]
    healthy = stand.table.driver["until_ready"]
    stand.table.driver["until_ready"] = for_student({"status": status, "json": None, "problem": None}, healthy)
    stand.table.driver["listeners"] = listeners
    evidence = stand.run()
    assert evidence.run_class == "NOT_READY"
    assert list(evidence.sections) == ["submission", "build", "image", "normal"]
    ready = evidence.sections["normal"]["ready"]
    assert (ready["ok"], ready["problem"], ready["exit_code"]) == (False, problem, None)
    assert set(evidence.sections["normal"]) == {"ready"}
    assert len(stand.apps()) == 1
    assert stand.left() == NOTHING


@pytest.mark.parametrize("refusal", ["refused", "timeout", "gone"])
def test_a_service_that_no_socket_reaches_is_not_listening(stand: Stand, refusal: str) -> None:
    healthy = stand.table.driver["until_ready"]
    stand.table.driver["until_ready"] = for_student(Refusal(refusal), healthy)
    stand.table.driver["listeners"] = Refusal(refusal)
    ready = stand.run().sections["normal"]["ready"]
    assert (ready["problem"], ready["detail"]["problem"]) == ("not_listening", refusal)


def test_a_service_of_an_ordinary_user_that_ends_is_not_tried_again(stand: Stand) -> None:
    stand.table.containers[STUDENT] = Behaviour(exit_code=3, output="Traceback: no model")
    evidence = stand.run()
    ready = evidence.sections["normal"]["ready"]
    assert (evidence.run_class, ready["problem"], ready["exit_code"]) == ("NOT_READY", "exited", 3)
    assert ready["log"] == "Traceback: no model"
    assert len(stand.apps()) == 1
    assert stand.left() == NOTHING


def test_a_service_that_ends_while_it_is_waited_for_is_known_to_have_ended(stand: Stand) -> None:
    stand.table.containers[STUDENT] = Behaviour(exit_code=1, seconds=0.1)
    healthy = stand.table.driver["until_ready"]
    stand.table.driver["until_ready"] = for_student({"status": None, "json": None, "problem": "refused"}, healthy)
    stand.limits = Limits(ready_seconds=60)
    started = time.monotonic()
    ready = stand.run().sections["normal"]["ready"]
    assert (ready["problem"], ready["exit_code"]) == ("exited", 1)
    assert time.monotonic() - started < 40


@pytest.mark.parametrize("user", ["", "0", "root", "root:app", "0:0"])
def test_an_image_that_drops_root_itself_gets_the_rights_for_it(stand: Stand, user: str) -> None:
    good, bad = stand.table.containers[STUDENT], Behaviour(exit_code=1)

    def script(request: RunRequest) -> Behaviour:
        assert isinstance(good, Behaviour)
        return good if request.cap_add or request.default_caps else bad

    stand.table.builds[DOCKERFILE] = [picture(STUDENT, user=user)]
    stand.table.containers[STUDENT] = script
    evidence = stand.run()
    assert evidence.run_class == "GRADED"
    profiles = {name: evidence.sections[name]["ready"]["profile"] for name in STARTS}
    assert profiles == {
        "normal": "drops_root", "padded": "drops_root", "default_caps": "default_caps", "init_off": "drops_root",
    }  # fmt: skip
    caps = [request.cap_add for request in stand.apps()]
    assert caps == [(), ("SETUID", "SETGID"), ("SETUID", "SETGID"), (), ("SETUID", "SETGID")]
    assert stand.left() == NOTHING


def test_an_image_of_root_that_ends_anyway_is_judged_on_its_first_start(stand: Stand) -> None:
    stand.table.builds[DOCKERFILE] = [picture(STUDENT, user="")]
    stand.table.containers[STUDENT] = lambda request: Behaviour(exit_code=5 if request.cap_add else 4)
    evidence = stand.run()
    ready = evidence.sections["normal"]["ready"]
    assert (evidence.run_class, ready["profile"], ready["exit_code"]) == ("NOT_READY", "hardened", 4)
    assert len(stand.apps()) == 2


def test_a_service_killed_for_memory_before_it_is_ready_ran_into_a_limit(stand: Stand) -> None:
    stand.table.containers[STUDENT] = Behaviour(exit_code=137, oom=True)
    evidence = stand.run()
    assert (evidence.run_class, evidence.sections["normal"]["ready"]["oom"]) == ("RUN_LIMIT", True)


def failing_after(seconds: float) -> Callable[[dict[str, Any]], Any]:
    def spread(command: dict[str, Any]) -> Any:
        time.sleep(seconds)
        return {"sent": 16, "failures": 16}

    return spread


def test_a_service_killed_for_memory_under_load_ran_into_a_limit(stand: Stand) -> None:
    stand.starts = {"normal": StartSpec(probes=("processes",))}
    stand.table.containers[STUDENT] = Behaviour(exit_code=137, oom=True, seconds=0.2)
    stand.table.driver["spread"] = failing_after(0.3)
    evidence = stand.run()
    assert evidence.run_class == "RUN_LIMIT"
    assert evidence.sections["normal"]["died"] == {"exit_code": 137, "oom": True}


def test_a_service_that_loses_a_process_for_memory_and_goes_on_is_ended(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine would write down the end of each process of a bomb, long after the bomb is gone."""
    monkeypatch.setattr(memory, "PERIOD_SECONDS", 0.05)
    stand.starts = {"normal": StartSpec(probes=("processes",))}
    stand.table.containers[STUDENT] = Behaviour(oom=True)
    stand.table.driver["spread"] = failing_after(0.5)
    evidence = stand.run()
    assert evidence.run_class == "RUN_LIMIT"
    assert evidence.sections["normal"]["died"] == {"exit_code": 137, "oom": True}


def test_a_service_that_crashes_before_it_is_told_to_stop_is_no_trouble_of_ours(stand: Stand) -> None:
    stand.starts = {"init_off": STARTS["init_off"]}
    stand.table.containers[STUDENT] = Behaviour(exit_code=1, seconds=0.1)
    stopped = stand.run().sections["init_off"]["stop"]
    assert (stopped["exit_code"], stopped["killed"]) == (1, False)


def test_a_service_that_ignores_a_polite_stop_is_seen_to(stand: Stand) -> None:
    stand.starts = {"init_off": STARTS["init_off"]}
    stand.table.containers[STUDENT] = Behaviour()
    stopped = stand.run().sections["init_off"]["stop"]
    assert (stopped["answered"], stopped["exit_code"], stopped["killed"]) == (True, None, True)
