"""Trouble of ours that becomes a score, a lost result, or something left running."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.engines.docker import connect
from tests.conformance.relay import Relay

ROOT = Path(__file__).resolve().parents[1]
START = [sys.executable, "-c", "from grader.cli import main; main()"]
SOCKET = "/var/run/docker.sock"
pytestmark = pytest.mark.engine


def run(runs: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [*START, "run", "labs/05", "solutions/05-docker", "--fresh", "--lang", "en", *arguments]
    environ = {**os.environ, "GRADER_RUNS": str(runs), **environment}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False)


def on_the_engine() -> set[str]:
    """Names of the grader's containers and volumes, and of images that belong to one run."""
    listing = [
        ["docker", "ps", "--all", "--format", "{{.Names}}"],
        ["docker", "volume", "ls", "--format", "{{.Name}}"],
        ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"],
    ]
    texts = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in listing]
    return {name for name in "\n".join(texts).split() if re.match(r"grader-[0-9a-f]{12}-", name)}


def left_for_good(before: set[str]) -> set[str]:
    """What is new since `before` and stays for two minutes: what other graders use meanwhile comes and goes."""
    found = on_the_engine() - before
    deadline = time.monotonic() + 120
    while found and time.monotonic() < deadline:
        time.sleep(0.5)
        found &= on_the_engine()
    return found


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 96 KiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_sentence_and_no_score(small_disk: Path) -> None:
    before = on_the_engine()
    done = run(small_disk)
    assert done.returncode == 4
    assert "Traceback" not in done.stdout + done.stderr
    assert "full" in done.stdout + done.stderr
    assert not any(json.loads(path.read_text())["score"] is not None for path in small_disk.glob("*/*/report.json"))
    assert left_for_good(before) == set()


def test_an_engine_that_dies_in_mid_run_gives_no_score(tmp_path: Path) -> None:
    relay = Relay(SOCKET)
    before, runs = on_the_engine(), tmp_path / "runs"

    def cut_once_started() -> None:
        deadline = time.monotonic() + 60
        ledgers = (runs / "active").glob
        while not any(ledger.stat().st_size for ledger in ledgers("*/resources.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1.0)
        relay.cut()

    thread = threading.Thread(target=cut_once_started)
    thread.start()
    done = run(runs, "--format", "json", DOCKER_HOST=f"unix://{relay.path}")
    thread.join()
    assert done.returncode == 4, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["status"], report["class"], report["score"]) == ("infra", "INFRA", None)
    again = run(runs)  # what was left behind is taken away by the next run
    assert again.returncode == 0, again.stdout + again.stderr
    assert left_for_good(before) == set()


PLAIN_USER = 54321


@pytest.fixture
def plain_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project that belongs to an ordinary user of the `docker` group."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user takes root")
    folder = Path("/tmp") / f"plain-user-{os.getpid()}"
    ignored = shutil.ignore_patterns(".git", ".venv", ".cache", "runs", "work", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, folder, ignore=ignored)
    subprocess.run(["chown", "-R", f"{PLAIN_USER}:{PLAIN_USER}", str(folder)], check=True)
    yield folder
    shutil.rmtree(folder)


def copied_packages(folder: Path) -> Path:
    """The grader's own dependencies where anybody may read them: the checkout may stand in root's home."""
    heavy = shutil.ignore_patterns("onnx*", "mypy*", "hypothesis*", "scipy*", "torch*", "playwright*", "__pycache__")
    source = next((ROOT / ".venv" / "lib").glob("python3.*/site-packages"))
    return Path(shutil.copytree(source, folder / "packages", ignore=heavy))


def test_a_member_of_the_docker_group_needs_no_root(plain_checkout: Path) -> None:
    """The portable ways must do where the layer folders are root's: same mark, other `method`."""
    group = os.stat(SOCKET).st_gid
    packages = copied_packages(plain_checkout)
    python = "/usr/bin/python3"  # the interpreter of the virtual environment may stand in root's home
    call = "import sys; sys.path[:0] = [sys.argv.pop(1), '.']; from grader.cli import main; main()"
    become = ["setpriv", f"--reuid={PLAIN_USER}", f"--regid={group}", "--clear-groups"]
    asked = ["run", "labs/05", "solutions/05-docker", "--format", "json", "--lang", "en"]
    command = [*become, python, "-c", call, str(packages), *asked]
    environ = {"PATH": os.environ["PATH"], "HOME": str(plain_checkout), "LANG": "C.UTF-8"}
    done = subprocess.run(
        command, cwd=plain_checkout, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert json.loads(done.stdout)["score"] == 20
    evidence = json.loads(next((plain_checkout / "runs" / "05-docker").glob("2*/evidence.json")).read_text())
    assert evidence["sections"]["image"]["files"]["method"] == "export"


def test_the_portable_ways_give_the_same_mark(tmp_path: Path) -> None:
    """Where the engine's kernel is not ours (a desktop's machine): no file events, no cgroups, no layer folders."""
    from grader.cli.session import Settings
    from grader.cli.site import make_kit
    from grader.lab import load_lab
    from grader.pipeline import Options, Site, grade
    from grader.records import Submission
    from grader.store import Store

    engine = connect(direct=False)
    try:
        settings = Settings(ROOT, tmp_path / "runs", ROOT / ".cache")
        kit = make_kit(engine, settings, lambda message: None)
        site = Site(ROOT, settings.cache, Store(settings.runs), engine, kit, lambda step, detail: None)
        submission = Submission(source=str(ROOT / "solutions" / "05-docker"))
        graded = grade(load_lab(ROOT / "labs" / "05-docker"), submission, site, Options(seed=11))
    finally:
        engine.close()
    assert [(item.id, item.cause) for item in graded.report.items if item.outcome != "passed"] == []
    sections = graded.run.read_evidence().sections
    loads = sections["normal"]["model_loads"]
    assert (loads["method"], loads["cpu_method"]) == ("swap", "stats")
    assert sections["image"]["files"]["method"] == "export"
