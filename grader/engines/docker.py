"""Docker behind the seam: images, containers and volumes through docker-py's low-level client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from grader.engines.base import ImageInfo, Layer, RunRequest, State
from grader.engines.channel import StreamChannel
from grader.engines.reaper import Kind
from grader.engines.settings import container_config, differences
from grader.errors import InfraError

if TYPE_CHECKING:
    from docker import APIClient

    from grader.engines.build import DockerBuilder
    from grader.engines.host import DockerHost

T = TypeVar("T")
POLL_SECONDS = 0.02


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn every failure of the engine or of the way to it into an `InfraError`."""
    import requests
    from docker.errors import DockerException

    try:
        yield
    except DockerException as error:
        raise InfraError("engine_refused", doing=doing, answer=str(getattr(error, "explanation", None) or error)[:500]) from error
    except (requests.RequestException, OSError) as error:
        raise InfraError("engine_gone", doing=doing) from error


class DockerSandbox:
    """One container; `remove` may be called more than once."""

    def __init__(self, api: APIClient, container: str, name: str) -> None:
        self._api = api
        self.id = container
        self.name = name

    def state(self) -> State:
        with engine_errors("inspect a container"):
            found = self._api.inspect_container(self.id)["State"]
        exit_code = None if found["Running"] else int(found["ExitCode"])
        return State(running=bool(found["Running"]), exit_code=exit_code, oom=bool(found["OOMKilled"]))

    def wait(self, seconds: float) -> State:
        """The state once it has ended, or still running after `seconds`."""
        deadline = time.monotonic() + seconds
        while (state := self.state()).running and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return state

    def signal(self, name: str) -> None:
        """Send a signal; quiet when there is nobody left to get it."""
        from docker.errors import APIError

        with engine_errors("signal a container"):
            try:
                self._api.kill(self.id, signal=name)
            except APIError as error:
                if error.status_code != 409:  # 409: it has ended, which is the student's affair
                    raise

    def log(self, limit: int = 65536) -> str:
        """The end of what the container printed, both streams, at most `limit` bytes."""
        with engine_errors("read a container's log"):
            data: bytes = self._api.logs(self.id, stdout=True, stderr=True, tail=2000)
        return data[-limit:].decode("utf-8", "replace")

    def attach(self) -> StreamChannel:
        with engine_errors("attach to a container"):
            stream = self._api.attach_socket(self.id, params={"stdin": 1, "stdout": 1, "stream": 1})
        return StreamChannel(stream)

    def remove(self) -> None:
        remove_container(self._api, self.id)


def remove_container(api: APIClient, reference: str) -> None:
    """Remove a container and its anonymous volumes; quiet when it is gone already."""
    from docker.errors import APIError, NotFound

    with engine_errors("remove a container"):
        try:
            api.remove_container(reference, force=True, v=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409:  # 409: another removal of it is in progress
                raise


class DockerRunner:
    """Creates containers, compares their settings with what was wanted, and only then starts them."""

    def __init__(self, api: APIClient) -> None:
        self._api = api

    def start(self, request: RunRequest) -> DockerSandbox:
        config = container_config(request)
        with engine_errors("create a container"):
            created = self._api.create_container_from_config(config, name=request.name)
            found = self._api.inspect_container(created["Id"])
        sandbox = DockerSandbox(self._api, created["Id"], request.name)
        drifted = differences(config["HostConfig"], found["HostConfig"])
        if drifted:
            sandbox.remove()
            raise InfraError("settings_drift", settings=", ".join(drifted))
        self._start(sandbox)
        return sandbox

    def _start(self, sandbox: DockerSandbox) -> None:
        """Start; a command that cannot be executed ends the container, which is the student's affair."""
        from docker.errors import APIError

        with engine_errors("start a container"):
            try:
                self._api.start(sandbox.id)
            except APIError as error:
                if error.status_code not in (400, 500) or not exec_failed(str(error.explanation)):
                    raise

    def create_volume(self, name: str) -> None:
        """A tmpfs volume that only uid 65534 may enter."""
        options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=65534,gid=65534,mode=0700"}
        with engine_errors("create a volume"):
            self._api.create_volume(name, driver="local", driver_opts=options)

    def remove_volume(self, name: str) -> None:
        from docker.errors import NotFound

        with engine_errors("remove a volume"):
            try:
                self._api.remove_volume(name, force=True)
            except NotFound:
                return


def exec_failed(explanation: str) -> bool:
    """Whether a start failed because the image's own command or user is at fault."""
    marks = ("executable file not found", "exec:", "no such file or directory", "permission denied",
             "unable to find user", "not a directory", "exec format error")  # fmt: skip
    return any(mark in explanation.lower() for mark in marks)


class DockerImages:
    def __init__(self, api: APIClient) -> None:
        self._api = api

    def find(self, reference: str) -> ImageInfo | None:
        from docker.errors import ImageNotFound

        with engine_errors("inspect an image"):
            try:
                found = self._api.inspect_image(reference)
            except ImageNotFound:
                return None
        config = found.get("Config") or {}
        return ImageInfo(
            id=found["Id"],
            size=int(found["Size"]),
            user=config.get("User") or "",
            command=tuple(config.get("Cmd") or ()),
            entrypoint=tuple(config.get("Entrypoint") or ()),
            ports=tuple(config.get("ExposedPorts") or ()),
            volumes=tuple(config.get("Volumes") or ()),
            diff_ids=tuple(found["RootFS"].get("Layers") or ()),
        )

    def layers(self, image: str, base: str) -> tuple[Layer, ...]:
        """The image's non-empty layers, bottom first.

        The engine's history does not say which entries made a layer: those that did are matched from
        the top by the configuration's own history, which does.
        """
        with engine_errors("read an image's history"):
            history = list(reversed(self._api.history(image)))
            diff_ids = list(self._api.inspect_image(image)["RootFS"].get("Layers") or ())
            below = len(self._api.inspect_image(base)["RootFS"].get("Layers") or ())
        solid = solid_entries(history, len(diff_ids))
        return tuple(
            Layer(diff_id, int(entry["Size"]), float(entry["Created"]), entry["CreatedBy"], index >= below)
            for index, (diff_id, entry) in enumerate(zip(diff_ids, solid, strict=True))
        )

    def load(self, archive: BinaryIO) -> None:
        with engine_errors("load an image"):
            for _ in self._api.load_image(archive):
                pass

    def tag(self, image: str, reference: str) -> None:
        repository, _, tag = reference.rpartition(":")
        with engine_errors("tag an image"):
            self._api.tag(image, repository, tag)

    def remove(self, reference: str) -> None:
        """Untag; the image and its layers go when nothing else names them. Quiet when it is gone."""
        from docker.errors import APIError, ImageNotFound

        with engine_errors("remove an image"):
            try:
                self._api.remove_image(reference, force=True)
            except ImageNotFound:
                return
            except APIError as error:
                if error.status_code != 409:
                    raise

    def remove_unnamed(self, image: str) -> None:
        """Remove an image that no tag names and nothing was built on; any other stays as it is."""
        from docker.errors import APIError, ImageNotFound

        with engine_errors("remove an image"):
            try:
                if not self._api.inspect_image(image).get("RepoTags"):
                    self._api.remove_image(image)
            except ImageNotFound:
                return
            except APIError as error:
                if error.status_code != 409:
                    raise

    def list(self, prefix: str) -> tuple[tuple[str, str], ...]:
        """(tag, id) of every image whose tag starts with `prefix`."""
        with engine_errors("list images"):
            found = self._api.images()
        tags = [(tag, image["Id"]) for image in found for tag in image.get("RepoTags") or ()]
        return tuple(sorted(pair for pair in tags if pair[0].startswith(prefix)))


def solid_entries(history: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The `count` history entries (oldest first) that made a layer.

    Entries with a size did. When there are fewer of those than layers, the remaining layers are empty
    ones, which only instructions that write files make.
    """
    empty_makers = ("RUN", "COPY", "ADD", "WORKDIR")
    def weight(entry: dict[str, Any]) -> int:
        if int(entry["Size"]) > 0:
            return 2
        text = entry["CreatedBy"]
        if "#(nop)" not in text:
            return 1
        return 1 if any(f"#(nop) {word}" in text or f"#(nop)  {word}" in text for word in empty_makers) else 0

    ranked = sorted(range(len(history)), key=lambda index: (-weight(history[index]), -index))
    chosen = sorted(ranked[:count])
    return [history[index] for index in chosen]


class DockerEngine:
    """A reachable Docker engine; close it when done."""

    def __init__(self, api: APIClient, info: dict[str, Any], builder: DockerBuilder, host: DockerHost) -> None:
        self._api = api
        self.cores = int(info.get("NCPU") or 1)
        self.label = f"docker {str(info.get('ServerVersion')).split('+')[0]}"
        self.builder = builder
        self.runner = DockerRunner(api)
        self.images = DockerImages(api)
        self.host = host

    def remove(self, kind: Kind, name: str) -> None:
        """Remove one recorded resource; the reaper's hand."""
        removers: dict[str, Callable[[str], None]] = {
            "container": lambda reference: remove_container(self._api, reference),
            "volume": self.runner.remove_volume,
            "image": self.images.remove,
            "build": self.images.remove_unnamed,
        }
        removers[kind](name)

    def close(self) -> None:
        self._api.close()


def connect(direct: bool | None = None) -> DockerEngine:
    """The engine that the environment points to. `direct=False` forbids reading the host behind it.

    Raises `InfraError` with `engine_absent`, `engine_denied` or `engine_stopped`.
    """
    import docker

    from grader.engines.build import DockerBuilder
    from grader.engines.host import DockerHost

    try:
        with engine_errors("connect"):
            api = docker.APIClient(timeout=60, **docker.utils.kwargs_from_env())
            api._version = api._retrieve_server_version()  # what `version="auto"` does, errors told apart here
            info = api.info()
    except InfraError as error:
        raise InfraError(why_unreachable(), answer=str(error.__cause__)[:300]) from error
    host = DockerHost(api, info, direct)
    return DockerEngine(api, info, DockerBuilder(api, info), host)


def why_unreachable() -> str:
    """Whether the engine's socket is missing, forbidden, or there with nobody behind it."""
    import os
    import stat

    path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    if not path.startswith("/"):
        return "engine_stopped"
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return "engine_absent"
    except OSError:
        return "engine_absent"
    return "engine_stopped" if os.access(path, os.W_OK) else "engine_denied"
