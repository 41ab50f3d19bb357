"""Attempts that a real container makes: they must be stopped, and they must notice when they are not."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader import images
from grader.doctor import examine, trials
from grader.doctor.finding import Finding
from grader.doctor.trials import ATTEMPTS, NOBODY, ROOT, ask, judge, request, try_out
from grader.engines import docker
from grader.engines.base import RunRequest
from grader.engines.docker import DockerEngine, connect
from grader.engines.owned import Owned
from grader.engines.reaper import Ledger

pytestmark = pytest.mark.engine
CACHE = Path(__file__).resolve().parents[1] / ".cache"


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    engine = connect()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def base(engine: DockerEngine) -> str:
    return images.ensure_base(engine, CACHE, print).id


def tried(engine: DockerEngine, active: Path, name: str, wanted: RunRequest) -> Finding:
    with Ledger(active, secrets.token_hex(6)) as ledger, Owned(engine, ledger) as owned:
        return judge(name, ask(owned, wanted).get(name))


def test_everything_is_stopped_here_and_nothing_is_left(engine: DockerEngine, base: str, tmp_path: Path) -> None:
    found = try_out(engine, base, tmp_path / "active")
    assert {finding.id: finding.state for finding in found} == dict.fromkeys(ATTEMPTS, "holds"), found
    assert not list((tmp_path / "active").iterdir())


def test_a_whole_examination_finds_no_fault_of_this_engine_s_set_up(tmp_path: Path) -> None:
    found = {finding.id: finding for finding in examine(tmp_path / "runs", CACHE)}
    assert [finding.id for finding in found.values() if finding.state == "fails"] == []
    assert {"engine_faults", "runc_faults", "containerd_faults", "cgroup", "build_pids"} <= set(found)


# Each control loosens one thing: an attempt that is not stopped must say so.
LOOSER: dict[str, dict[str, Any]] = {
    "memory": {"memory_mib": 512},
    "pids": {"pids": 256},
    "disk": {"tmpfs": {"/tmp": "size=32m,mode=1777"}},
    "rights": {"default_caps": True},
    "climb": {"default_caps": True, "user": NOBODY},
}


@pytest.mark.parametrize("name", LOOSER)
def test_an_attempt_that_is_not_stopped_is_noticed(engine: DockerEngine, base: str, tmp_path: Path, name: str) -> None:
    wanted = replace(request(base, ROOT, [name]), **LOOSER[name])
    assert tried(engine, tmp_path, name, wanted).state == "fails"


DRIFTED: dict[str, dict[str, Any]] = {
    "seccomp": {"SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]},
    "readonly": {"ReadonlyRootfs": False},
    "network": {"NetworkMode": "host"},  # nothing is sent: the attempt only looks
}


@pytest.mark.parametrize("name", DRIFTED)
def test_a_setting_that_is_not_there_is_noticed(
    engine: DockerEngine, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config = docker.container_config

    def drifted(wanted: RunRequest) -> dict[str, Any]:
        made = config(wanted)
        return {**made, "HostConfig": {**made["HostConfig"], **DRIFTED[name]}}

    monkeypatch.setattr(docker, "container_config", drifted)
    assert tried(engine, tmp_path, name, request(base, ROOT, [name])).state == "fails"


def test_an_attempt_that_hangs_shows_nothing(
    engine: DockerEngine, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "SECONDS", 0.5)
    asked = json.dumps({})
    wanted = replace(request(base, ROOT, []), command=("python", "-c", "import time; time.sleep(60)", asked))
    assert tried(engine, tmp_path, "pids", wanted).state == "unknown"
    assert not list(tmp_path.iterdir())
