"""A plan carried out on an engine made of a table: the order of things, and what a failure at each step leaves."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.engines.base import BuildRequest, Built, OnImage, RunRequest
from grader.engines.table import Behaviour, Refusal
from grader.errors import InfraError
from grader.probes import memory
from grader.probes.rig import driver_command
from grader.records import Limits, Plan, StartSpec
from grader.running import MIB, run

from .stand import (
    BASE,
    DOCKERFILE,
    DRIVER,
    NOTHING,
    STARTS,
    STUDENT,
    YARDSTICK,
    Stand,
    for_student,
    good,
    lab,
    picture,
    staged,
)  # fmt: skip


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return good(tmp_path)


def test_a_good_submission_is_built_started_measured_and_cleared_away(stand: Stand) -> None:
    evidence = stand.run()
    assert evidence.run_class == "GRADED"
    assert list(evidence.sections) == ["submission", "build", "image", *STARTS]
    for name, spec in STARTS.items():
        assert set(evidence.sections[name]) == {"ready", *spec.probes}
        assert evidence.sections[name]["ready"]["ok"] is True
    assert evidence.sections["submission"]["texts"] == {"main.py": "print(1)"}
    assert (evidence.engine, evidence.base, evidence.seed) == ("fake 1", BASE, 7)
    assert stand.left() == NOTHING


def test_starts_come_one_after_the_other_in_the_order_of_the_plan(stand: Stand) -> None:
    polite, alive = stand.table.containers[STUDENT], []

    def script(request: RunRequest) -> Behaviour:
        assert isinstance(polite, Behaviour)
        alive.append([box.name for box in stand.engine.containers.values() if "-app-" in box.name])
        return polite

    stand.table.containers[STUDENT] = script
    stand.run()
    assert stand.roles() == ["driver", "yardstick", "helper"] + ["app", "helper"] * 4
    assert alive == [[]] * 4


def test_every_start_is_made_as_its_plan_says(stand: Stand) -> None:
    stand.run()
    normal, padded, climber, stopped = stand.apps()
    assert {request.image for request in stand.apps()} == {STUDENT}
    assert {request.network for request in stand.apps()} == {"none"}
    assert not any(request.trusted or request.command or request.stdin or request.volumes for request in stand.apps())
    assert [request.default_caps for request in stand.apps()] == [False, False, True, False]
    assert [request.init for request in stand.apps()] == [True, True, True, False]
    assert (padded.tmpfs["/tmp"].split(",")[0], padded.fsize_mib) == ("size=128m", 128)
    folders = [request.model_folder for request in (normal, padded, climber, stopped)]
    sizes = [path.joinpath("model.onnx").stat().st_size for path in folders if path]
    assert sizes[0] == sizes[2] == len("fast")
    assert sizes[1] > 2 * MIB
    assert sizes[3] == len("slow")


def test_services_and_what_measures_them_have_a_core_each(stand: Stand) -> None:
    stand.run()
    cores = {role: {r.cpuset for r in stand.engine.started if f"-{role}-" in r.name} for role in set(stand.roles())}
    assert cores["app"] == cores["yardstick"] == {"1"}
    assert cores["driver"] == cores["helper"] == {"0"}


def test_ours_are_trusted_and_nobody(stand: Stand) -> None:
    stand.run()
    ours = [request for request in stand.engine.started if "-app-" not in request.name]
    assert all(request.trusted for request in ours)
    assert {request.user for request in ours if request.image == DRIVER} == {"65534:65534"}
    assert ours[0].command == driver_command("main")


def test_loads_are_counted_by_opens_before_during_and_after(stand: Stand) -> None:
    stand.table.opens = (1, 2, 3)
    loads = stand.run().sections["normal"]["model_loads"]
    assert (loads["method"], loads["start"], loads["warm"], loads["measured"]) == ("inotify", 1, 2, 3)
    assert loads["cpu_method"] == "table"
    assert loads["workers"] == 1


def test_without_file_events_the_model_is_swapped(stand: Stand) -> None:
    stand.table.opens = None
    asked = iter(range(100))
    answer = {"status": 200, "problem": None}
    stand.table.driver["ask"] = lambda command: [answer | {"json": next(asked)} for _ in command["requests"]]
    stand.starts = {"normal": StartSpec(probes=("model_loads",))}
    loads = stand.run().sections["normal"]["model_loads"]
    assert (loads["method"], loads["measured"], loads["changed"]) == ("swap", None, 24)
    assert (stand.folder / "work" / "models" / "normal" / "model.onnx").read_bytes() == b"constant"


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
    stand.limits = Limits(ready_seconds=5)
    started = time.monotonic()
    ready = stand.run().sections["normal"]["ready"]
    assert (ready["problem"], ready["exit_code"]) == ("exited", 1)
    assert time.monotonic() - started < 4


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


@pytest.mark.parametrize(
    ("problem", "run_class"),
    [
        ("failed", "BUILD_FAIL"), ("refused", "BUILD_FAIL"), ("timeout", "BUILD_TIMEOUT"), ("memory", "BUILD_LIMIT"),
        ("output", "BUILD_LIMIT"), ("disk", "BUILD_LIMIT"),
    ],
)  # fmt: skip
def test_a_failed_build_ends_the_run_with_its_class(stand: Stand, problem: str, run_class: str) -> None:
    stand.table.builds[DOCKERFILE] = [Built(None, problem, "no", 2, "log")]
    evidence = stand.run()
    assert evidence.run_class == run_class
    assert list(evidence.sections) == ["submission", "build"]
    result = evidence.sections["build"]["result"]
    assert (result["ok"], result["line"], result["log"]) == (False, 5, "log")
    assert stand.apps() == []
    assert stand.left() == NOTHING


TOO_MUCH: dict[str, dict[str, Any]] = {
    "bytes": {"size": 1100 * MIB},
    "layers": {"diff_ids": ("sha256:0",) * 101},
    "volumes": {"volumes": tuple(f"/{n}" for n in range(9))},
    "ports": {"ports": tuple(f"{n}/tcp" for n in range(33))},
}


@pytest.mark.parametrize("ceiling", TOO_MUCH)
def test_an_image_past_a_ceiling_is_a_build_past_its_limit(stand: Stand, ceiling: str) -> None:
    stand.table.builds[DOCKERFILE] = [picture(STUDENT, **TOO_MUCH[ceiling])]
    evidence = stand.run()
    assert (evidence.run_class, evidence.sections["build"]["result"]["problem"]) == ("BUILD_LIMIT", "size")
    assert stand.apps() == []
    assert stand.left() == NOTHING


def test_the_size_of_the_base_is_not_the_student_s(stand: Stand) -> None:
    stand.table.images[BASE] = picture(BASE, own=0, size=2000 * MIB)
    stand.table.builds[DOCKERFILE] = [picture(STUDENT, size=2500 * MIB)]
    assert stand.run().run_class == "GRADED"


def test_a_rebuild_compares_the_layers_of_both_builds(stand: Stand) -> None:
    stand.starts = {}
    stand.rebuild = "main.py"
    second = picture("sha256:" + "2" * 64, own=2)
    touched = DOCKERFILE
    stand.table.builds[touched] = [picture(STUDENT, own=2), second]
    result = stand.run().sections["rebuild"]["result"]
    assert (result["ok"], result["touched"], len(result["before"]), len(result["after"])) == (True, "main.py", 2, 2)
    assert stand.engine.started == []
    assert stand.left() == NOTHING


def test_a_rebuild_that_fails_leaves_the_rest_standing(stand: Stand) -> None:
    stand.rebuild = "main.py"
    stand.table.builds[DOCKERFILE] = [picture(STUDENT), Built(None, "timeout", "", 2, "")]
    evidence = stand.run()
    assert evidence.run_class == "GRADED"
    assert evidence.sections["rebuild"]["result"] == {"ok": False, "problem": "timeout", "touched": "main.py"}
    assert evidence.sections["init_off"]["stop"]["answered"] is True


def test_an_exam_still_shows_what_the_layer_cache_would_keep(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the first build's own layers, every exam would fail the item that looks at them."""
    stand.starts, stand.rebuild = {}, "main.py"
    stand.table.builds[DOCKERFILE] = [picture(STUDENT), picture("sha256:" + "2" * 64)]
    asked: list[bool] = []
    build = stand.engine.builder.build

    def noted(request: BuildRequest, on_image: OnImage) -> Built:
        asked.append(request.no_cache)
        return build(request, on_image)

    monkeypatch.setattr(stand.engine.builder, "build", noted)
    plan = stand.plan()
    assert plan.build is not None
    stand.run(plan.model_copy(update={"build": plan.build.model_copy(update={"no_cache": True})}))
    assert asked == [True, False]


def test_without_anything_to_build_nothing_runs(stand: Stand) -> None:
    evidence = stand.run(Plan(lab="05", problem="no_dockerfile", limits=Limits(), seed=7, digest=""))
    assert evidence.run_class == "BUILD_FAIL"
    assert evidence.sections["build"]["result"]["problem"] == "no_dockerfile"
    assert stand.engine.did == []


def test_without_an_engine_the_files_are_looked_at_and_no_more(stand: Stand) -> None:
    evidence = run(stand.plan(), staged(stand.folder), lab(), None)
    assert (list(evidence.sections), evidence.run_class, evidence.engine) == (["submission"], "GRADED", None)


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
