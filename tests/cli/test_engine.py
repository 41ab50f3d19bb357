"""The command line on a real engine: a sound machine that is called unfit, or a run that leaves a container."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import FORGOTTEN_SOCKET, ROOT, Ask, assert_words, start

pytestmark = FORGOTTEN_SOCKET


@pytest.fixture
def engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This checkout and this machine's engine; results apart. The fixture's value is the folder of the runs."""
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("GRADER_HOME", str(ROOT))
    monkeypatch.setenv("GRADER_RUNS", str(home / "runs"))
    return home / "runs"


@pytest.mark.engine
def test_doctor_finds_a_machine_that_can_grade(engine: Path, ask: Ask) -> None:
    status, out, _ = ask("doctor")
    assert status == 0
    assert "docker" in out.splitlines()[0]
    assert "fails" not in [line.split()[0] for line in out.splitlines()]
    assert "MiB was stopped" in out


@pytest.mark.engine
def test_a_build_that_fails_exits_1_and_leaves_nothing(engine: Path, ask: Ask, submission: Path) -> None:
    (submission / "Dockerfile").write_text("FROM python:3.11-slim\nCOPY nowhere .\n")
    status, out, _ = ask("run", "05", submission, "--format", "json")
    report = json.loads(out)
    assert (status, report["class"], report["provisional"]) == (1, "BUILD_FAIL", False)
    assert report["engine"].startswith("docker ")
    assert not list((engine / "active").iterdir())
    status, _, err = ask("run", "05", submission, "--format", "json")
    assert (status, "--fresh" in err) == (1, True), "the same submission is answered from its first run"


@pytest.mark.engine
def test_ctrl_c_in_the_middle_leaves_no_container(engine: Path) -> None:
    process = start("run", "05", str(ROOT / "solutions" / "05-docker"), "--fresh")
    names = wait_for_containers(engine / "active", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, b"")
    assert_words(err.decode())
    assert not list((engine / "active").iterdir()), "the ledger of a run that left nothing is gone"
    left = subprocess.run(["docker", "ps", "-a", "--format", "{{.Names}}"], capture_output=True, text=True, check=True)
    assert names
    assert not names & set(left.stdout.split())


def wait_for_containers(active: Path, process: subprocess.Popen[bytes]) -> set[str]:
    """The names of the run's containers once it has some."""
    for _ in range(600):
        rows = [json.loads(row) for file in active.glob("*/resources.jsonl") for row in file.read_text().splitlines()]
        names = {row["name"] for row in rows if row["kind"] == "container" and "id" in row}
        if names or process.poll() is not None:
            return names
        time.sleep(0.1)
    return set()
