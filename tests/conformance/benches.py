"""The engines under one suite: what each can do, and how a test starts and builds on it."""

from __future__ import annotations

import io
import os
import secrets
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from grader import images
from grader.engines.base import BuildRequest, Built, Engine, ImageInfo, RunRequest, Sandbox
from grader.engines.building import new_marker
from grader.engines.docker import DockerEngine, connect
from grader.engines.fake import FakeEngine
from grader.engines.image_store import named
from grader.errors import InfraError
from grader.probes.context import DOCKERFILE
from grader.records import Limits

from . import cases, table
from .relay import Relay

CACHE = Path(__file__).resolve().parents[2] / ".cache"
LABEL = "grader.test"
TOKEN = secrets.token_hex(4)
LIMITS = Limits()
CAN: dict[str, frozenset[str]] = {
    "docker": frozenset({"seam", "kernel"}),  # kernel: a real one stands behind it and holds what it was told
    "fake": frozenset({"seam"}),
}


def on(capability: str) -> pytest.MarkDecorator:
    """Run a test on every engine that has the capability."""
    marks = {"docker": [pytest.mark.engine]}
    kinds = [pytest.param(kind, marks=marks.get(kind, [])) for kind, can in CAN.items() if capability in can]
    return pytest.mark.parametrize("bench", kinds, indirect=True)


@dataclass
class Bench:
    """One engine in the hands of one test; what the test made goes with it."""

    engine: Engine
    base: ImageInfo
    folder: Path
    line: Callable[[], tuple[Engine, Callable[[], None]]]
    made: list[tuple[str, str]] = field(default_factory=list)

    def name(self, role: str) -> str:
        return f"grader-test-{TOKEN}-{len(self.made)}-{role}"

    def start(self, command: tuple[str, ...] | None, **options: object) -> Sandbox:
        name = self.name("box")
        self.made.append(("container", name))
        request = RunRequest(**{"image": self.base.id, "name": name, "command": command} | options)
        return self.engine.runner.start(request)

    def ended(self, command: tuple[str, ...], **options: object) -> Sandbox:
        """A sandbox that has run to its end."""
        sandbox = self.start(command, **options)
        assert not sandbox.wait(20).running
        return sandbox

    def build(
        self, text: str, files: Mapping[str, bytes] = {}, heard: list[str] | None = None, **limits: float
    ) -> Built:
        """Build `text` on the course base under a name that goes with this test."""
        tag = f"{self.name('image')}:run"
        self.made.append(("image", tag))
        return self.build_as(tag, text, files, [] if heard is None else heard, Limits(**limits))

    def layered(self) -> Built:
        """The image of many layers; it keeps its name until the end, so that it is built only once."""
        return self.build_as(f"grader-test-{TOKEN}/layered:1", cases.LAYERS, cases.FILES, [], Limits())

    def build_as(self, tag: str, text: str, files: Mapping[str, bytes], heard: list[str], limits: Limits) -> Built:
        request = self.request(tag, text, files, limits)
        return self.engine.builder.build(request, lambda image, made: heard.append(image))

    def request(self, tag: str, text: str, files: Mapping[str, bytes] = {}, limits: Limits = LIMITS) -> BuildRequest:
        """What a build of `text` and `files` is asked with."""
        context = self.folder / f"context-{len(self.made)}.tar"
        with tarfile.open(context, "w") as tar:
            for name, data in {DOCKERFILE: self.dockerfile(text).encode(), **files}.items():
                member = tarfile.TarInfo(name)
                member.size, member.mtime = len(data), 1_700_000_000
                tar.addfile(member, io.BytesIO(data))
        return BuildRequest(context, DOCKERFILE, tag, limits, marker=new_marker())

    def unnamed_images(self) -> set[str]:
        """Images without a name that builds of this process left on the engine."""
        rows = self.engine._api.images(all=True, filters={"label": f"{LABEL}={TOKEN}"})  # type: ignore[attr-defined]
        return {row["Id"] for row in rows if not named(row)}

    def dockerfile(self, text: str) -> str:
        """Steps 1 and 2 are ours, so that all that is built here can be found again."""
        return f"FROM {self.base.id}\nLABEL {LABEL}={TOKEN}\n{text}"

    def close(self) -> None:
        for kind, name in reversed(self.made):
            self.engine.remove(kind, name)


@pytest.fixture(scope="session")
def docker() -> Iterator[DockerEngine]:
    engine = connect()
    yield engine
    remove_labelled(engine)
    engine.close()


def remove_labelled(engine: DockerEngine) -> None:
    """Remove the images that builds of this process left without a name, newest first."""
    api = engine._api
    for image in sorted(api.images(all=True, filters={"label": f"{LABEL}={TOKEN}"}), key=lambda row: -row["Created"]):
        with suppress(InfraError):
            engine.images.remove(image["Id"])


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "fake":
        fake = FakeEngine(table.table())
        yield Bench(fake, table.BASE, tmp_path, lambda: (fake, lambda: setattr(fake, "gone", True)))
        return
    engine: DockerEngine = request.getfixturevalue("docker")
    made = Bench(engine, images.ensure_base(engine, CACHE, print), tmp_path, line)
    try:
        yield made
    finally:
        made.close()


def line() -> tuple[Engine, Callable[[], None]]:
    """The engine reached by a way that can be cut, and what cuts it."""
    relay = Relay(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{relay.path}")
        return connect(), relay.cut
