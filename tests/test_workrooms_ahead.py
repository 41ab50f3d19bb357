"""Sandboxes made ahead: what they share must give nothing away, and nothing of them may stay."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grader import images
from grader.engines.docker import DockerEngine, connect
from grader.engines.owned import Owned
from grader.engines.reaper import Ledger, Reaper
from grader.errors import InfraError
from grader.workrooms import Job
from grader.workrooms.container import ContainerRoom

CACHE = Path(__file__).resolve().parents[1] / ".cache"
pytestmark = pytest.mark.engine


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    engine = connect()
    yield engine
    engine.close()


KILLED_ON_AN_ENGINE = """
import sys
from pathlib import Path
from grader.engines.docker import connect
from grader.engines.owned import Owned
from grader.engines.reaper import Ledger, Reaper
from grader.workrooms import Job
from grader.workrooms.container import ContainerRoom
folder = Path(sys.argv[1])
with Ledger(folder / "active", "killed") as ledger, Owned(connect(), ledger) as owned:
    room = ContainerRoom(owned, sys.argv[2], ahead=1)
    room.wait_ready(60)
    print("working", flush=True)
    room.do(Job(("-c", "import time; time.sleep(60)"), {}, 60, take=("x",)), folder / "kept")
"""


def test_a_killed_grader_leaves_its_sandboxes_to_the_next_ones_reaper(engine: DockerEngine, tmp_path: Path) -> None:
    base = images.ensure_base(engine, CACHE, lambda message: None)
    command = [sys.executable, "-c", KILLED_ON_AN_ENGINE, str(tmp_path), base.id]
    grader = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert grader.stdout is not None and grader.stdout.readline() == b"working\n"
    time.sleep(1)
    grader.kill()
    grader.wait()
    grader.stdout.close()
    removed = Reaper(tmp_path / "active", engine, tmp_path / "work").reap()
    roles = [name.split("-")[2] for name in removed]
    assert roles.count("holder") >= 1 and roles.count("room") >= 1 and roles.count("out") >= 1
    assert not (tmp_path / "active" / "killed").exists(), "nothing is outstanding"


def test_sandboxes_with_one_holder_between_them_see_nothing_of_each_other(engine: DockerEngine, tmp_path: Path) -> None:
    base = images.ensure_base(engine, CACHE, lambda message: None)
    listing = "import json, os; json.dump([open('/work/name').read(), sorted(os.listdir('/'))], open('/out/x', 'w'))"
    with Ledger(tmp_path / "active", "shared") as ledger, Owned(engine, ledger) as owned:
        with ContainerRoom(owned, base.id, ahead=2) as room, ThreadPoolExecutor(2) as pool:
            jobs = [Job(("-c", listing), {"work": {"name": f"{n}".encode()}}, 60, take=("x",)) for n in range(6)]
            done = list(pool.map(lambda n: room.do(jobs[n], tmp_path / f"kept{n}"), range(6)))
        rows = [json.loads(row) for row in (tmp_path / "active/shared/resources.jsonl").read_text().splitlines()]
        made = [row["name"] for row in rows if not row.get("removed") and "id" not in row]
        assert sorted(made) == sorted(row["name"] for row in rows if row.get("removed")), "the room took all away"
    found = [json.loads(Path(one.outputs["x"].path or "").read_text()) for one in done]
    assert [name for name, _ in found] == [f"{n}" for n in range(6)]
    assert not any(set(root) & {"0", "1", "2", "3"} for _, root in found)
    assert sum("-holder-" in name for name in made) < sum("-room-" in name for name in made)


def test_what_was_not_read_of_one_job_is_never_given_to_another(engine: DockerEngine, tmp_path: Path) -> None:
    base = images.ensure_base(engine, CACHE, lambda message: None)
    (tmp_path / "kept" / "x").mkdir(parents=True)  # where the first job's file cannot be written
    write = Job(("-c", "open('/out/x', 'w').write('mine'); open('/out/y', 'w').write('mine')"), {}, 60, take=("x", "y"))
    with (
        Ledger(tmp_path / "active", "torn") as ledger,
        Owned(engine, ledger) as owned,
        ContainerRoom(owned, base.id, ahead=2) as room,
    ):
        assert room.wait_ready(60)
        with pytest.raises(OSError):
            room.do(write, tmp_path / "kept")
        with pytest.raises(InfraError) as caught:
            room.do(write, tmp_path / "other")
    assert caught.value.code in ("holder_gone", "driver_gone")
    assert not (tmp_path / "other").exists()
