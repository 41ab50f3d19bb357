"""A killed run that leaves containers behind, or a reaper that takes what belongs to somebody else."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grader.engines import reaper
from grader.engines.reaper import Kind, Ledger, Reaper
from grader.errors import InfraError

RUN = "20260101T000000000000-abcdef"


class Hands:
    """An engine that only remembers what it was told to remove."""

    def __init__(self, broken: tuple[str, ...] = ()) -> None:
        self.removed: list[tuple[Kind, str]] = []
        self.broken = broken

    def remove(self, kind: Kind, name: str) -> None:
        if name in self.broken:
            raise InfraError("engine_gone")
        self.removed.append((kind, name))


@pytest.fixture
def active(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "active"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def _dead_run(active: Path, *rows: dict[str, object], torn: bytes = b"") -> Path:
    folder = active / RUN
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    (folder / "resources.jsonl").write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows) + torn)
    return folder


def test_a_row_is_on_disk_before_the_resource_may_exist(active: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append((active / RUN / "resources.jsonl").read_bytes())
        real(handle)

    with Ledger(active, RUN) as ledger:
        monkeypatch.setattr(os, "fsync", fsync)
        ledger.intend("container", "grader-1")
        assert b'"grader-1"' in synced[-1]
        ledger.removed("container", "grader-1")


def test_a_living_run_is_left_alone(active: Path, work: Path) -> None:
    hands = Hands()
    with Ledger(active, RUN) as ledger:
        ledger.intend("container", "grader-1")
        assert Reaper(active, hands, work).reap() == ()
        assert hands.removed == [] and ledger.folder.is_dir()


def test_a_run_that_cleaned_up_leaves_no_ledger(active: Path) -> None:
    with Ledger(active, RUN) as ledger:
        ledger.intend("volume", "v")
        ledger.created("volume", "v", "v")
        ledger.removed("volume", "v")
    assert list(active.iterdir()) == []


def test_what_a_run_left_behind_is_removed_next_time(active: Path, work: Path) -> None:
    with pytest.raises(RuntimeError), Ledger(active, RUN) as ledger:
        ledger.intend("volume", "v")
        ledger.intend("container", "c")
        ledger.created("container", "c", "0123")
        raise RuntimeError
    hands = Hands()
    assert Reaper(active, hands, work).reap() == ("c", "v")
    assert hands.removed == [("container", "0123"), ("volume", "v")], (
        "by id where known, the container before its volume"
    )
    assert list(active.iterdir()) == []


def test_a_run_killed_outright_is_reaped(active: Path, work: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from grader.engines.reaper import Ledger\n"
        f"ledger = Ledger(Path(sys.argv[1]), {RUN!r}); ledger.intend('container', 'c')\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(active)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        assert Reaper(active, Hands(), work).reap() == ()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert Reaper(active, Hands(), work).reap() == ("c",)


def test_a_torn_last_row_does_not_stop_the_reaper(active: Path, work: Path) -> None:
    for torn in (b'{"kind": "contai', b"\xff\xfe", b"[]\n", b"null"):
        _dead_run(active, {"kind": "container", "name": "a"}, torn=torn)
        assert Reaper(active, Hands(), work).reap() == ("a",)
        assert list(active.iterdir()) == []


def test_what_cannot_be_removed_now_is_tried_again(active: Path, work: Path) -> None:
    rows: list[dict[str, object]] = [{"kind": "container", "name": name} for name in ("a", "b", "c")]
    _dead_run(active, *rows)
    assert Reaper(active, Hands(broken=("b",)), work).reap() == ("c", "a")
    assert Reaper(active, Hands(), work).reap() == ("c", "b", "a")
    assert list(active.iterdir()) == []


def test_only_folders_below_the_work_root_are_removed(active: Path, work: Path, tmp_path: Path) -> None:
    mine, precious = work / "run" / "stage", tmp_path / "precious"
    for folder in (mine, precious):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    (work / "link").symlink_to(precious)
    names = (mine, precious, work / "link", work, work / ".." / "precious", tmp_path / "gone")
    _dead_run(active, *({"kind": "folder", "name": str(name)} for name in names))
    Reaper(active, Hands(), work).reap()
    assert not mine.exists()
    assert (precious / "file").exists() and work.is_dir()


def test_a_link_among_the_runs_is_not_followed(active: Path, work: Path, tmp_path: Path) -> None:
    folder = _dead_run(tmp_path / "elsewhere", {"kind": "container", "name": "a"})
    active.mkdir(parents=True)
    (active / RUN).symlink_to(folder)
    assert Reaper(active, Hands(), work).reap() == ()
    assert folder.is_dir()


def test_no_runs_at_all_is_no_trouble(active: Path, work: Path) -> None:
    assert Reaper(active, Hands(), work).reap() == ()


def test_a_full_disk_stops_the_creation(active: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Ledger(active, RUN) as ledger, monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(InfraError) as caught:
            ledger.intend("container", "a")
    assert caught.value.code == "disk_full"


def test_a_run_that_begins_while_the_reaper_sweeps_keeps_its_ledger(
    active: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is older than its lock for a moment: the reaper may take it then, and the run must notice."""
    grab, sweeps = reaper._grab, iter([True])

    def grab_after_a_sweep(lock: int) -> bool:
        if next(sweeps, False):
            Reaper(active, Hands(), work).reap()
            assert not (active / RUN).exists()
        return grab(lock)

    monkeypatch.setattr(reaper, "_grab", grab_after_a_sweep)
    with Ledger(active, RUN) as ledger:
        ledger.intend("container", "a")
        assert Reaper(active, Hands(), work).reap() == ()
        assert ledger.folder.is_dir()


def test_containers_go_before_what_they_stand_on(active: Path, work: Path) -> None:
    """An engine keeps an image that a container uses: the image first would leave both."""
    with Ledger(active, RUN) as ledger:
        for kind in ("volume", "image", "building", "container", "build"):
            ledger.intend(kind, f"a {kind}")
    hands = Hands()
    Reaper(active, hands, work).reap()
    assert [kind for kind, _ in hands.removed] == ["container", "building", "volume", "image", "build"]


@pytest.mark.parametrize("kind", ["build", "met"])
def test_a_layer_that_a_living_run_builds_on_is_not_taken_away(active: Path, work: Path, kind: Kind) -> None:
    with Ledger(active, RUN) as dead:
        dead.intend("build", "0123456789ab")
        dead.intend("build", "ba9876543210")
    with Ledger(active, RUN.replace("2026", "2027")) as living:
        living.intend(kind, "0123456789ab")
        hands = Hands()
        Reaper(active, hands, work).reap()
    assert hands.removed == [("build", "ba9876543210")]
