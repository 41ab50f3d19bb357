"""Trouble of ours in the middle of a run that passes for the student's, or that leaves something on the engine."""

from __future__ import annotations

from typing import Any

import pytest

from grader.engines.base import Built
from grader.engines.table import Behaviour, Refusal
from grader.errors import InfraError

from ..stand import DOCKERFILE, NOTHING, STUDENT, YARDSTICK, Stand


def test_a_yardstick_that_does_not_start_is_our_trouble(stand: Stand) -> None:
    stand.table.driver["until_ready"] = {"status": None, "json": None, "problem": "refused"}
    stand.table.containers[YARDSTICK] = Behaviour(output="boom")
    with pytest.raises(InfraError) as caught:
        stand.run()
    assert (caught.value.code, caught.value.facts["log"]) == ("yardstick_down", "boom")
    assert stand.left() == NOTHING


@pytest.mark.parametrize("op", ["hello", "listeners", "ask", "spread", "turns", "collect", "forget"])
def test_a_driver_that_falls_silent_is_our_trouble_and_leaves_nothing(stand: Stand, op: str) -> None:
    del stand.table.driver[op]
    with pytest.raises(InfraError) as caught:
        stand.run()
    assert caught.value.code == "driver_silent"
    assert stand.left() == NOTHING


@pytest.mark.parametrize("op", ["listeners", "ask", "spread", "turns", "forget"])
def test_a_driver_that_says_no_where_it_never_should_is_our_trouble(stand: Stand, op: str) -> None:
    stand.table.driver[op] = Refusal("gone")
    with pytest.raises(InfraError):
        stand.run()
    assert stand.left() == NOTHING


@pytest.mark.parametrize("op", ["until_ready", "ask", "turns", "hold"])
def test_an_engine_that_goes_away_is_our_trouble_and_the_ledger_remembers(stand: Stand, op: str) -> None:
    reply = stand.table.driver[op]

    def vanish(command: dict[str, Any]) -> Any:
        stand.engine.gone = True
        return reply(command) if callable(reply) else reply

    stand.table.driver[op] = vanish
    with pytest.raises(InfraError) as caught:
        stand.run()
    assert caught.value.code == "engine_gone"
    stand.engine.gone = False
    containers, volumes, _, ledger = stand.left()
    assert containers
    assert volumes
    assert ledger == ["run"]


def test_an_image_that_vanishes_after_its_build_is_our_trouble(stand: Stand) -> None:
    stand.table.builds[DOCKERFILE] = [Built(STUDENT, None, "", None, "")]
    with pytest.raises(InfraError) as caught:
        stand.run()
    assert caught.value.code == "image_vanished"
    assert stand.left() == NOTHING
