"""Others' work that is graded on an engine which does not hold a container, or a check that every run pays for."""

from __future__ import annotations

import gc
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader import cli, engines, pipeline
from grader.cli import site
from grader.doctor import gate, require_enforced
from grader.doctor.trials import ATTEMPTS, ESSENTIAL, LIMITS, try_out
from grader.engines.base import RunRequest
from grader.engines.fake import FakeEngine
from grader.engines.table import Behaviour, Table
from grader.errors import InfraError, LabError
from grader.probes.rig import Kit

from .cli.conftest import ROOT, TINY
from .test_doctor import HELD

# docker-py forgets the socket that could not connect.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

IMAGE = "sha256:" + "b" * 64


def engine(oom: bool = False, **changes: dict[str, Any] | None) -> FakeEngine:
    """An engine whose containers answer that all holds, but for the changes (None: no answer)."""
    answers = {**HELD, **changes}

    def behave(request: RunRequest) -> Behaviour:
        asked = json.loads((request.command or ())[-1])["attempts"]
        rows = [json.dumps({"id": name, **row}) for name in asked if (row := answers[name]) is not None]
        return Behaviour(exit_code=0, oom=oom, output="\n".join([*rows, "some noise"]))

    return FakeEngine(Table(containers={IMAGE: behave}))


def test_trials_have_a_student_s_settings_and_leave_nothing(tmp_path: Path) -> None:
    made = engine()
    found = try_out(made, IMAGE, tmp_path / "active")
    assert [(finding.id, finding.state) for finding in found] == [(name, "holds") for name in ATTEMPTS]
    for request in made.started:
        assert (request.network, request.cap_add, request.default_caps) == ("none", (), False)
        assert (request.memory_mib, request.pids) == (LIMITS["memory_mib"], LIMITS["pids"])
    assert [request.user for request in made.started] == ["0:0", "65534:65534"]
    assert not made.containers
    assert not list((tmp_path / "active").iterdir())


def test_a_container_that_ends_by_its_memory_was_held(tmp_path: Path) -> None:
    held = try_out(engine(oom=True, memory=None), IMAGE, tmp_path, ["memory"])
    silent = try_out(engine(memory=None), IMAGE, tmp_path, ["memory"])
    assert (held[0].state, silent[0].state) == ("holds", "unknown")


# --- the refusal ------------------------------------------------------------------------------------

LOOSE: dict[str, dict[str, Any] | None] = {
    "memory": {"killed": False, "taken_mib": 128, "limit_mib": 64},
    "pids": {"refused": None, "forked": 64, "limit": 32},
    "seccomp": {"mode": "0", "reached": ["keyctl"]},
}


@pytest.mark.parametrize("name", ESSENTIAL)
@pytest.mark.parametrize("answered", [True, False])
def test_an_engine_that_does_not_hold_is_refused_each_time(tmp_path: Path, name: str, answered: bool) -> None:
    made = engine(**{name: LOOSE[name] if answered else None})
    for lang in ("en", "fr", "en"):
        with pytest.raises(InfraError) as caught:
            require_enforced(made, IMAGE, tmp_path, tmp_path / "active", lang)
        assert caught.value.code == "unsafe_engine"
        assert caught.value.facts["what"] and caught.value.facts["do"]
    assert len(made.started) == 3
    assert not (tmp_path / gate.KEPT).exists()


def test_what_is_not_essential_does_not_stop_grading(tmp_path: Path) -> None:
    require_enforced(engine(network={"interfaces": ["eth0"]}), IMAGE, tmp_path, tmp_path / "active", "en")


# --- the memory of it -------------------------------------------------------------------------------


def count(made: FakeEngine, tmp_path: Path) -> int:
    before = len(made.started)
    require_enforced(made, IMAGE, tmp_path, tmp_path / "active", "en")
    return len(made.started) - before


def test_a_second_run_pays_nothing(tmp_path: Path) -> None:
    made = engine()
    assert [count(made, tmp_path) for _ in range(3)] == [1, 0, 0]


OTHER_FACTS = {
    "engine": {"versions": {"engine": "2", "kernel": "1"}},
    "kernel": {"versions": {"engine": "1", "kernel": "2"}},
    "another engine": {"identity": "other"},
}


@pytest.mark.parametrize("change", OTHER_FACTS)
def test_another_engine_or_kernel_is_tried_anew(tmp_path: Path, change: str) -> None:
    made = engine()
    assert count(made, tmp_path) == 1
    made.table.facts = replace(made.table.facts, **OTHER_FACTS[change])
    assert count(made, tmp_path) == 1


def test_another_boot_or_other_settings_are_tried_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine()
    assert count(made, tmp_path) == 1
    (tmp_path / "boot").write_text("another\n")
    monkeypatch.setattr(gate, "BOOT_ID", tmp_path / "boot")
    assert count(made, tmp_path) == 1
    monkeypatch.setattr(gate, "code_digest", lambda parts: "sha256:other")
    assert count(made, tmp_path) == 1
    monkeypatch.setattr(gate, "BOOT_ID", tmp_path / "nowhere")
    assert [count(made, tmp_path) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"enforced": 3}', '{"else": 1}', "\udcff"])
def test_a_torn_or_foreign_record_is_no_proof(tmp_path: Path, content: str) -> None:
    (tmp_path / gate.KEPT).write_bytes(content.encode("utf-8", "surrogateescape"))
    made = engine()
    assert [count(made, tmp_path) for _ in range(2)] == [1, 0]


def test_where_nothing_can_be_kept_grading_goes_on(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    made = engine()
    for _ in range(2):
        require_enforced(made, IMAGE, tmp_path / "cache", tmp_path / "active", "en")
    assert len(made.started) == 2


# --- the command line -------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    shutil.copytree(TINY, home / "labs" / "90-tiny", ignore=shutil.ignore_patterns("__pycache__"))
    (home / "pyproject.toml").write_text("")
    for folder in (home / "work" / "90-tiny", tmp_path / "ada"):
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text("FROM python:3.11-slim\n")
    monkeypatch.setenv("GRADER_HOME", str(home))
    monkeypatch.delenv("GRADER_RUNS", raising=False)
    monkeypatch.chdir(home)
    return tmp_path


@pytest.fixture
def graded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The submissions whose grading began."""
    begun: list[str] = []

    def grade(lab: Any, submission: Any, *rest: Any) -> Any:
        begun.append(submission.source)
        raise LabError("folder_gone")

    monkeypatch.setattr(pipeline, "grade", grade)
    return begun


def use(monkeypatch: pytest.MonkeyPatch, made: FakeEngine) -> None:
    monkeypatch.setattr(engines, "open_engine", lambda choice: made)
    monkeypatch.setattr(site, "make_kit", lambda *arguments: Kit(IMAGE, IMAGE, IMAGE))


def test_others_work_is_refused_in_one_sentence_and_one_s_own_is_graded(
    home: Path, graded: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made = engine(memory=LOOSE["memory"])
    use(monkeypatch, made)
    for lang, word in (("en", "128 MiB"), ("fr", "128 sans être arrêté")):
        assert cli.invoke(["run", "90", str(home / "ada"), "--lang", lang], os.environ) == 4
        out, err = capfd.readouterr()
        assert (out, graded) == ("", [])
        assert word in err and "docker info" in err
        assert "Traceback" not in err
    tried = len(made.started)
    for own in ([], ["work/90-tiny"], [str(home / "home" / "work" / "90-tiny")]):
        assert cli.invoke(["run", "90", *own], os.environ) == 2  # what the stand-in for grading says
    assert len(graded) == 3
    assert len(made.started) == tried, "one's own work waits for no trial"


def test_others_work_is_graded_where_all_holds(home: Path, graded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine()
    use(monkeypatch, made)
    for _ in range(2):
        assert cli.invoke(["run", "90", str(home / "ada")], os.environ) == 2
    assert graded == [str(home / "ada")] * 2
    assert len(made.started) == 1
    assert (home / "home" / ".cache" / gate.KEPT).is_file()


def test_the_findings_are_json_for_programs(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    assert cli.invoke(["doctor", "--format", "json"], os.environ) == 4
    gc.collect()  # the socket that was forgotten is not another test's trouble
    found = json.loads(capfd.readouterr().out)
    assert found["schema"] == "grader/doctor/1"
    rows = {row["id"]: row for row in found["findings"]}
    assert rows["memory"]["state"] == "unknown"
    assert rows["memory"]["do"]
    assert {"id", "state", "what", "do", "facts"} == set(rows["engine"])


def test_the_script_of_the_trials_travels_whole() -> None:
    """It is one argument of a command, which Linux cuts at 128 KiB."""
    assert len((ROOT / "grader" / "doctor" / "inside.py").read_bytes()) < 100_000
