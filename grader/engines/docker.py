"""Docker behind the seam: containers, volumes and the engine itself through docker-py's low-level client."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from grader.engines.base import Builder, EngineFacts, Host, Images, Runner, RunRequest, State
from grader.engines.build import PIDS_MAX
from grader.engines.building import containers_of
from grader.engines.channel import StreamChannel
from grader.engines.facts import engine_facts
from grader.engines.image_store import DockerImages
from grader.engines.reaper import Kind
from grader.engines.settings import container_config, differences
from grader.engines.trouble import engine_errors
from grader.errors import InfraError

if TYPE_CHECKING:
    from docker import APIClient

    from grader.engines.build import DockerBuilder
    from grader.engines.host import DockerHost

POLL_SECONDS = 0.02
REMOVAL_SECONDS, REMOVAL_PAUSE = 60.0, 0.2
# How long an engine may take to store a layer of a build that was left, and to copy into one.
ENDING_SECONDS, STORING_SECONDS = 60.0, 3.0


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
        error = str(found.get("Error") or "")[:500]
        return State(running=bool(found["Running"]), exit_code=exit_code, oom=bool(found["OOMKilled"]), error=error)

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

    def starved(self) -> bool:
        """Whether a process was killed for memory, by the events that the engine remembers."""
        filters = {"type": "container", "container": self.id, "event": "oom"}
        with engine_errors("read a container's events"):  # up to a time gone by: it does not wait for more
            return bool(list(self._api.events(since=1, until=int(time.time()), filters=filters)))

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
    """Remove a container and its anonymous volumes; quiet when it is gone already.

    It is ended first and waited for: an engine that removes a container while it still has news of it to read (a
    thousand processes killed for memory) fails half-way, or keeps a ghost of it in its list.
    """
    from docker.errors import APIError, NotFound

    deadline = time.monotonic() + REMOVAL_SECONDS
    with engine_errors("remove a container"):
        try:
            with suppress(APIError):  # it has ended already, or takes longer than the engine cares to wait
                api.kill(reference)
            pause = POLL_SECONDS
            while api.inspect_container(reference)["State"]["Running"] and time.monotonic() < deadline:
                time.sleep(pause)
                pause = min(2 * pause, 1.0)  # each look takes the lock that the engine needs to get on
            _remove_ended(api, reference, deadline)
        except NotFound:
            return


def _remove_ended(api: APIClient, reference: str, deadline: float) -> None:
    from docker.errors import APIError

    while True:
        try:
            api.remove_container(reference, force=True, v=True)
            return
        except APIError as error:
            # 409: another removal of it is in progress; 500: the engine was still writing its files
            if (error.status_code or 0) not in (409, 500) or time.monotonic() > deadline:
                raise
        time.sleep(REMOVAL_PAUSE)


def end_build(api: APIClient, marker: int) -> set[str]:
    """End a build that nobody listens to any more, and wait until the engine is done with it.

    The engine stores what the current step made before it gives up. If what the step stood on went meanwhile, an image
    without a parent would stay, of which nobody was ever told. Gives the ids of the containers that the build had then.
    """
    from docker.errors import APIError

    deadline = time.monotonic() + ENDING_SECONDS
    containers = containers_of(api, marker)
    seen = {container["Id"] for container in containers}
    if not containers:
        time.sleep(STORING_SECONDS)  # a copy needs no container, and is not to be seen
    while containers and time.monotonic() < deadline:
        for container in containers:
            if container["State"]["Running"]:
                with suppress(APIError):
                    api.kill(container["Id"])
        time.sleep(REMOVAL_PAUSE)
        containers = containers_of(api, marker)
    for container in containers:  # of an engine that was restarted meanwhile, and knows nothing of the build
        remove_container(api, container["Id"])
    return seen


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

    def create_volume(self, name: str, mib: int = 1, inodes: int = 0) -> None:
        """A tmpfs volume that only uid 65534 may enter."""
        ceiling = f",nr_inodes={inodes}" if inodes else ""
        options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={mib}m,uid=65534,gid=65534,mode=0700{ceiling}"}
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


class DockerEngine:
    """A reachable Docker engine; close it when done."""

    def __init__(self, api: APIClient, info: dict[str, Any], builder: DockerBuilder, host: DockerHost) -> None:
        self._api = api
        self._info = info
        self._build_pids = PIDS_MAX if builder.caps_processes else None
        self.cores = int(info.get("NCPU") or 1)
        self.label = f"docker {str(info.get('ServerVersion')).split('+')[0]}"
        self.builder: Builder = builder
        self.runner: Runner = DockerRunner(api)
        images = DockerImages(api)
        self.images: Images = images
        self._stored_from, self._remove_unnamed = images.stored_from, images.remove_unnamed
        self.host: Host = host

    def now(self) -> float:
        """The engine's own clock, in seconds since the epoch."""
        with engine_errors("read the engine's clock"):
            stamp = str(self._api.info()["SystemTime"])
        return datetime.fromisoformat(stamp).timestamp()

    def about(self) -> EngineFacts:
        """What the engine and its parts say of themselves."""
        with engine_errors("read the engine's version"):
            version = self._api.version()
        return engine_facts(version, self._info, self._build_pids)

    def remove(self, kind: Kind, name: str) -> None:
        """Remove one recorded resource; the reaper's hand."""
        removers: dict[str, Callable[[str], None]] = {
            "container": lambda reference: remove_container(self._api, reference),
            "volume": self.runner.remove_volume,
            "image": self.images.remove,
            "building": self._remove_building,
            "build": self._remove_unnamed,
            "met": lambda image: None,  # somebody else's
        }
        removers[kind](name)

    def _remove_building(self, marker: str) -> None:
        """End a build by its marker; what its last step stored goes too, also where it stands on a cached image."""
        for image in self._stored_from(end_build(self._api, int(marker))):
            self._remove_unnamed(image)

    def close(self) -> None:
        self._api.close()


def connect(direct: bool | None = None) -> DockerEngine:
    """The engine that the environment points to. `direct=False` forbids reading the host behind it.

    Raises `InfraError` with `engine_absent`, `engine_denied` or `engine_stopped`.
    """
    from docker import APIClient
    from docker.constants import DEFAULT_DOCKER_API_VERSION
    from docker.utils import kwargs_from_env

    from grader.engines.build import DockerBuilder
    from grader.engines.host import DockerHost

    try:
        with engine_errors("connect"), ExitStack() as on_trouble:
            # Some version is named, so that the client is there to be closed when the engine is not.
            api: Any = APIClient(version=DEFAULT_DOCKER_API_VERSION, timeout=60, **kwargs_from_env())
            on_trouble.callback(api.close)
            api._version = api._retrieve_server_version()  # what `version="auto"` does, errors told apart here
            info = api.info()
            on_trouble.pop_all()
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
