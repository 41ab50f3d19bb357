"""An engine that cannot be reached must be said as such, and a start that fails must find its culprit."""

from __future__ import annotations

import gc
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from docker.errors import APIError, NotFound

from grader.engines import docker, open_engine
from grader.engines.docker import exec_failed
from grader.errors import InfraError


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # a socket's path has room for 107 bytes
        yield Path(name)


def code(address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The code of the trouble when the engine is looked for at `address`."""
    monkeypatch.setenv("DOCKER_HOST", address)
    assert open_engine("auto") is None
    with pytest.raises(InfraError) as caught:
        open_engine("docker")
    gc.collect()
    return caught.value.code


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket")  # docker-py forgets sockets that do not connect
def test_where_the_engine_is_missing_is_told_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").touch()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "dead"))
    assert code(f"unix://{folder}/nothing", monkeypatch) == "engine_absent"
    assert code(f"unix://{folder}/file", monkeypatch) == "engine_absent"
    assert code(f"unix://{folder}/dead", monkeypatch) == "engine_stopped"
    assert code("tcp://127.0.0.1:1", monkeypatch) == "engine_stopped"
    assert code("nonsense://x", monkeypatch) == "engine_stopped"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert code(f"unix://{folder}/dead", monkeypatch) == "engine_denied"


def test_without_an_engine_wanted_none_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    assert open_engine("local") is None


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket")
def test_something_that_is_no_engine_is_no_engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def talk(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                with listener.accept()[0] as peer:
                    peer.sendall(b"220 hello\r\n")

    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(folder / "other"))
        other.listen(4)
        threading.Thread(target=talk, args=(other,), daemon=True).start()
        assert code(f"unix://{folder}/other", monkeypatch) == "engine_stopped"
        other.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "text",
    [
        'OCI runtime create failed: exec: "serve": executable file not found in $PATH: unknown',
        "failed to create shim task: OCI runtime create failed: exec /entry.sh: permission denied",
        "exec /entry.sh: exec format error",
        "unable to find user app: no matching entries in passwd file",
        "mkdir /srv/app: not a directory",
    ],
)
def test_an_image_that_cannot_be_started_is_the_student_s_affair(text: str) -> None:
    assert exec_failed(text)


@pytest.mark.parametrize(
    "text",
    [
        "OCI runtime create failed: cgroup: device or resource busy",
        "no space left on device",
        "context deadline exceeded",
    ],
)
def test_an_engine_that_cannot_start_anything_is_not(text: str) -> None:
    assert not exec_failed(text)


class Stubborn:
    """An engine's API that refuses a removal a few times, as one does that is still busy with killing."""

    def __init__(self, refusals: list[int]) -> None:
        self.refusals = refusals

    def kill(self, reference: str) -> None:
        response = requests.Response()
        response.status_code = 409
        raise APIError("not running", response)

    def inspect_container(self, reference: str) -> dict[str, Any]:
        return {"State": {"Running": False}}

    def remove_container(self, reference: str, force: bool, v: bool) -> None:
        if self.refusals:
            response = requests.Response()
            response.status_code = self.refusals.pop(0)
            raise (NotFound if response.status_code == 404 else APIError)("directory not empty", response)


def test_a_container_that_is_hard_to_remove_is_removed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "REMOVAL_PAUSE", 0.0)
    for refusals in ([500, 500, 409], [500, 404]):
        docker.remove_container(cast(Any, Stubborn(refusals)), "x")
        assert refusals == []
    monkeypatch.setattr(docker, "REMOVAL_SECONDS", 0.0)
    for status in (403, 500):
        with pytest.raises(InfraError):
            docker.remove_container(cast(Any, Stubborn([status] * 3)), "x")
