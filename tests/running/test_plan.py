"""A plan carried out otherwise than it says: the order of things, the settings of each start, what is left behind."""

from __future__ import annotations

from grader.engines.base import RunRequest
from grader.engines.table import Behaviour
from grader.probes.rig import driver_command
from grader.records import StartSpec
from grader.running import MIB, run

from ..stand import BASE, DRIVER, NOTHING, STARTS, STUDENT, Stand, lab, staged


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


def test_without_an_engine_the_files_are_looked_at_and_no_more(stand: Stand) -> None:
    evidence = run(stand.plan(), staged(stand.folder), lab(), None)
    assert (list(evidence.sections), evidence.run_class, evidence.engine) == (["submission"], "GRADED", None)
