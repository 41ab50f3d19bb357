"""Requests that a lab makes itself: the seed decides them, nobody can guess them, none is lost or mixed up."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from grader.dockerfile import exposed_ports, read_dockerfile
from grader.errors import LabError
from grader.lab import load_lab, run_digest
from grader.planning import plan, requests
from grader.records import Lab, Request, Staged, StagedFile, Start, StartSpec

from .stand import BASE, STARTS, Stand, for_student, good

LAB = Path(__file__).parent / "corpus" / "lab-h"
SPEC = StartSpec(probes=("exchanges",))


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return good(tmp_path)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return load_lab(Path(shutil.copytree(LAB, tmp_path / "lab-h")))


def planned(folder: Path, lab: Lab, dockerfile: str, seed: int = 1) -> tuple[Start, ...]:
    return plan(lab, submitted(folder, dockerfile), BASE, seed).starts


def submitted(folder: Path, dockerfile: str) -> Staged:
    (folder / "Dockerfile").write_text(dockerfile)
    files = (StagedFile(path="Dockerfile", size=len(dockerfile), sha256="0"),)
    return Staged(source="s", root=str(folder), digest="", files=files)


# --- what is asked for


def test_the_seed_makes_the_requests_and_nothing_else_does(lab: Lab, tmp_path: Path) -> None:
    one, same, other = (planned(tmp_path, lab, "FROM python", seed)[0].requests for seed in (1, 1, 2))
    assert one == same
    assert not {request.body for request in one["predict"]} & {request.body for request in other["predict"]}
    assert {name: len(made) for name, made in one.items()} == {"health": 1, "predict": 25, "errors": 5}


def test_a_start_that_does_not_ask_gets_none(lab: Lab) -> None:
    quiet = lab.model_copy(update={"starts": STARTS})
    assert requests(quiet, "normal", 1) == {}


BROKEN = {
    "lab_inputs_unknown": ('@inputs("predict")', '@inputs("others")'),
    "lab_inputs_fail": ("    a, b, c =", "    a, b, c = 1 / 0 #"),
    "lab_inputs_many": ("VECTORS, WHOLE = 25, 5", "VECTORS, WHOLE = 25_000, 5"),
    "lab_checks_fail": ("import json", "import jsonn"),
}


@pytest.mark.parametrize("code", BROKEN)
def test_what_is_wrong_with_the_inputs_is_the_lab_s_author_s_to_correct(code: str, lab: Lab) -> None:
    path = Path(lab.root, "inputs.py")
    old, new = BROKEN[code]
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(LabError) as caught:
        requests(lab, "normal", 1)
    assert caught.value.code == code


def test_other_inputs_are_another_run(lab: Lab) -> None:
    before = run_digest(lab)
    with Path(lab.root, "inputs.py").open("a") as file:
        file.write("\n# more\n")
    after = load_lab(Path(lab.root))
    assert after.digest != lab.digest
    assert run_digest(after) != before


@pytest.mark.parametrize("path", ["predict", "/a b", "/a\r\nX: y", "", "/é"])
def test_a_path_that_would_not_stay_a_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError):
        Request(path=path)


# --- what is sent


def test_each_answer_stays_with_its_request_in_whatever_order_they_went(stand: Stand) -> None:
    sent: list[dict[str, Any]] = []

    def ask(command: dict[str, Any]) -> Any:
        sent.extend(command["requests"])
        return [{"status": 200, "json": one["body"], "problem": None, "ms": 1.0} for one in command["requests"]]

    stand.table.driver["ask"] = ask
    made = {name: tuple(Request(body=f"{name}{n}") for n in range(20)) for name in ("a", "b")}
    start = Start(name="normal", spec=SPEC, requests=made)
    found = stand.run(stand.plan().model_copy(update={"starts": (start,)})).sections["normal"]["exchanges"]
    assert {name: [row["json"] for row in rows] for name, rows in found.items()} == {
        name: [one.body for one in rows] for name, rows in made.items()
    }
    assert all(row["request"]["body"] == row["json"] for rows in found.values() for row in rows)
    for name, rows in made.items():
        assert [one["body"] for one in sent if one["body"][0] == name] != [one.body for one in rows]
    assert len({one["pause"] for one in sent}) > 30
    json.dumps(found)


def test_a_service_that_hangs_on_one_kind_of_request_is_still_asked_the_others(stand: Stand) -> None:
    shares: dict[str, float] = {}

    def ask(command: dict[str, Any]) -> Any:
        shares[command["requests"][0]["body"]] = command["phase"]
        time.sleep(command["phase"])
        return [{"status": None, "json": None, "problem": "timeout"}] * len(command["requests"])

    stand.table.driver["ask"] = ask
    start = Start(name="normal", spec=SPEC, requests={name: (Request(body=name),) for name in "abc"})
    stand.run(stand.plan().model_copy(update={"starts": (start,)}))
    assert set(shares) == set("abc")
    assert min(shares.values()) > 0.25
    assert sum(shares.values()) <= stand.limits.phase_seconds + 0.1


# --- where it is sent


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("FROM python", ()),
        ("FROM python\nEXPOSE 5000/tcp 5001 5002/udp", (5000, 5001)),
        ("FROM python\nARG P=70\nEXPOSE ${P}00 $UNSET x 99999 0 8000-8002", (7000, 8000, 8001, 8002)),
        ("FROM python AS a\nEXPOSE 1\nFROM python AS b\nEXPOSE 2\nFROM b\nEXPOSE 3/TCP 2", (2, 3)),
        ("FROM python\nEXPOSE 1-65535", tuple(range(1, 33))),
    ],
)
def test_the_ports_of_the_image_are_read_from_its_dockerfile(text: str, ports: tuple[int, ...], tmp_path: Path) -> None:
    dockerfile = read_dockerfile(submitted(tmp_path, text))
    assert dockerfile is not None
    assert exposed_ports(dockerfile) == ports


def test_only_a_lab_that_says_so_looks_at_exposed_ports(lab: Lab, tmp_path: Path) -> None:
    text = "FROM python\nEXPOSE 8000 5000"
    assert planned(tmp_path, lab, text)[0].exposed == (5000,)
    strict = lab.model_copy(update={"service": lab.service.model_copy(update={"exposed": False})})
    assert planned(tmp_path, strict, text)[0].exposed == ()


def exposing(stand: Stand, **replies: Any) -> dict[str, Any]:
    """The section of a start that exposes 4000 and 5000, whose ports say what `replies` tells."""
    silent = {"status": None, "json": None, "problem": "refused"}
    healthy = stand.table.driver["until_ready"]

    def until_ready(command: dict[str, Any]) -> Any:
        return replies.get(f"port{command['port']}", silent)

    stand.table.driver["until_ready"] = for_student_call(until_ready, healthy)
    stand.table.driver["listeners"] = [{"address": "00000000", "port": port} for port in (4000, 5000, 8000)]
    start = Start(name="normal", spec=SPEC, exposed=(4000, 5000), requests={"a": (Request(body="x"),)})
    return stand.run(stand.plan().model_copy(update={"starts": (start,)})).sections["normal"]


def for_student_call(reply: Any, otherwise: Any) -> Any:
    chosen = for_student(reply, lambda command: otherwise)
    return lambda command: chosen(command)(command)


OK = {"status": 200, "json": {"status": "ok"}, "problem": None}


def test_a_service_that_keeps_to_its_own_exposed_port_is_asked_there(stand: Stand) -> None:
    asked: list[int] = []

    def ask(command: dict[str, Any]) -> Any:
        asked.append(command["port"])
        return [OK] * len(command["requests"])

    stand.table.driver["ask"] = ask
    section = exposing(stand, port5000=OK)
    assert (section["ready"]["ok"], section["ready"]["port"]) == (True, 5000)
    assert asked == [5000]


def test_the_port_that_was_asked_for_goes_first(stand: Stand) -> None:
    assert exposing(stand, port5000=OK, port8000=OK)["ready"]["port"] == 8000


def test_a_service_that_answers_but_is_not_well_is_not_looked_for_elsewhere(stand: Stand) -> None:
    section = exposing(stand, port5000=OK, port8000={"status": 503, "json": None, "problem": None})
    assert (section["ready"]["ok"], section["ready"]["problem"]) == (False, "unhealthy")


VOLUMES = {
    'FROM python:3.11-slim\nVOLUME ["/data", "var/cache/x/"]': ("/data", "/var/cache/x"),
    "FROM python:3.11-slim AS a\nVOLUME /a\nFROM python:3.11-slim\nVOLUME /b": ("/b",),
    "FROM python:3.11-slim AS a\nVOLUME /a\nFROM a\nVOLUME /a /b": ("/a", "/b"),
    "FROM python:3.11-slim\nVOLUME / /usr/local /etc /var /opt /tmp/x": (),
}


@pytest.mark.parametrize(("text", "volumes"), VOLUMES.items())
def test_the_volumes_are_those_of_the_last_stage_and_of_what_it_builds_on(
    tmp_path: Path, lab: Lab, text: str, volumes: tuple[str, ...]
) -> None:
    assert planned(tmp_path, lab, text)[0].volumes == volumes
