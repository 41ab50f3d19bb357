"""Who ends a build, and whose writing is blamed for a disk that fills."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.engines import watchdog as module
from grader.engines.build import Transcript, conclude
from grader.engines.building import layer
from grader.engines.watchdog import MIB, ROOM, Watchdog, allocated
from grader.errors import InfraError
from grader.records import Limits

Watch = Callable[..., Watchdog]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The free space that the watchdog sees; each look takes `fall` from it, down to `least`."""
    space = {"free": 100 * ROOM, "fall": 10 * MIB, "least": 50 * ROOM}

    def usage(path: str) -> Any:
        space["free"] = max(space["free"] - space["fall"], space["least"])
        return type("Usage", (), {"free": space["free"]})

    monkeypatch.setattr(module.shutil, "disk_usage", usage)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    return space


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    ours, theirs = socket.socketpair()

    def start(folders: Callable[[], set[Path]], patience: float = 60, **limits: float) -> Watchdog:
        generous: dict[str, Any] = {"build_seconds": 60, "build_disk_mib": 4096}
        dog = Watchdog(ours, Limits(**(generous | limits)), str(tmp_path), folders)
        dog.start()
        theirs.settimeout(patience)
        try:
            assert theirs.recv(1) == b""
        except TimeoutError:
            assert dog.is_alive()
        theirs.close()  # the engine is done with it
        assert dog.stop()
        dog.end("late")
        return dog

    with ours, theirs:
        yield start


def test_a_build_past_its_deadline_is_ended(watch: Watch, disk: dict[str, int]) -> None:
    assert watch(set, build_seconds=0.1).reason == "timeout"


def test_a_build_that_wrote_too_much_is_ended(watch: Watch, disk: dict[str, int], tmp_path: Path) -> None:
    (tmp_path / "layer" / "deep").mkdir(parents=True)
    (tmp_path / "layer" / "deep" / "big").write_bytes(b"x" * 2 * MIB)
    assert watch(lambda: {tmp_path / "layer"}, build_disk_mib=1).reason == "disk"


def test_a_build_is_not_ended_for_what_others_wrote(watch: Watch, disk: dict[str, int], tmp_path: Path) -> None:
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer" / "small").write_bytes(b"x")
    assert watch(lambda: {tmp_path / "layer"}, patience=0.5, build_disk_mib=1).reason == "late"


def test_an_engine_that_was_hung_up_on_is_listened_to_until_it_is_done(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    dog = Watchdog(ours, Limits(), str(tmp_path), set)
    dog.start()
    dog.end("timeout")
    assert theirs.recv(1) == b""
    theirs.sendall(b"stored")
    done = threading.Timer(0.3, theirs.close)
    done.start()
    assert dog.stop()
    assert theirs.fileno() == -1


def test_an_engine_that_is_never_done_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAVING_SECONDS", 0.1)
    ours, theirs = socket.socketpair()
    with theirs:
        dog = Watchdog(ours, Limits(), str(tmp_path), set)
        dog.start()
        dog.end("timeout")
        assert not dog.stop()


def test_silence_is_no_sign_that_an_engine_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clocks run while an engine leaves, the listener's and the cutter's; here the cutter's is the late one."""

    class LateClock(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return super().wait(60)

    monkeypatch.setattr(module, "LEAVING_SECONDS", 0.1)
    ours, theirs = socket.socketpair()
    with theirs:
        dog = Watchdog(ours, Limits(), str(tmp_path), set)
        dog._over = LateClock()
        dog.start()
        dog.end("timeout")
        assert not dog.stop()


def test_many_empty_looking_files_count_for_what_they_take(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / str(number)).write_bytes(b"x")
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(10**12)
    (tmp_path / "link").symlink_to("/")
    assert 100 * 512 <= sum(allocated(tmp_path)) < 10 * MIB
    assert list(allocated(tmp_path / "gone")) == []


@pytest.mark.parametrize("error", [PermissionError(), KeyError("GraphDriver"), InfraError("engine_gone", doing="look")])
def test_where_nobody_can_look_the_whole_fall_is_the_build_s(
    watch: Watch, disk: dict[str, int], error: Exception
) -> None:
    def folders() -> set[Path]:
        raise error

    assert watch(folders, build_disk_mib=1).reason == "disk"


def test_a_disk_that_others_filled_is_no_fault_of_the_build(watch: Watch, disk: dict[str, int]) -> None:
    disk["least"] = ROOM - 1
    disk["fall"] = 10 * ROOM
    assert watch(set, build_disk_mib=1).reason == "full"
    with pytest.raises(InfraError, match="engine_disk_full"):
        conclude(Transcript(lambda image, made: None), "full")


def test_a_count_stops_at_the_share(watch: Watch, disk: dict[str, int], tmp_path: Path) -> None:
    seen: list[str] = []

    class Files:
        def __iter__(self) -> Iterator[Path]:
            for name in ("a", "b", "c"):
                (tmp_path / name).mkdir()
                (tmp_path / name / "file").write_bytes(os.urandom(2 * MIB))
                seen.append(name)
                yield tmp_path / name

    assert watch(lambda: Files(), build_disk_mib=1).reason == "disk"
    assert seen == ["a"]


def test_the_layer_of_a_container_is_the_one_it_writes() -> None:
    assert layer({"GraphDriver": {"Data": {"UpperDir": "/x/diff", "LowerDir": "/y"}}}) == Path("/x/diff")
