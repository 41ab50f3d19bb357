"""The measuring side: the driver, the yardstick service, and the helpers that open sockets for them.

One rig serves many starts, and many submissions of a batch. The driver's container holds sockets of the
student's and of the yardstick's network namespace, opened there by a helper each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.engines.base import Channel, RunRequest, Sandbox
from grader.engines.owned import Owned
from grader.errors import InfraError
from grader.records import Json, Limits, Service

ENVIRONMENT = {"LANG": "C.UTF-8", "TZ": "UTC", "MODEL_PATH": "/models/model.onnx"}
ENTRY = "import sys; sys.path.insert(0, '/opt'); from driver.{module} import main; main({argument})"
NOBODY = "65534:65534"
SLACK_SECONDS = 30.0


@dataclass(frozen=True)
class Kit:
    """Ids of our own images."""

    base: str
    driver: str
    yardstick: str


@dataclass(frozen=True)
class Cores:
    """Services share one core, everything that measures has another, where there are two."""

    services: str
    measuring: str


def share_out(count: int) -> Cores:
    return Cores(services=str(count - 1), measuring="0")


def driver_command(module: str, argument: str = "") -> tuple[str, ...]:
    quoted = repr(argument) if argument else ""
    return ("python", "-I", "-c", ENTRY.format(module=module, argument=quoted))


class Rig:
    """A running driver and, once asked for, a running yardstick."""

    def __init__(self, owned: Owned, kit: Kit, service: Service, limits: Limits) -> None:
        self.owned = owned
        self.kit = kit
        self.service = service
        self.limits = limits
        self.cores = share_out(owned.engine.cores)
        self._volume = owned.volume("sockets")
        self._driver = self._start_driver()
        self._channel: Channel = self._driver.attach()
        self.call("hello")

    def call(self, op: str, wait: float = SLACK_SECONDS, **arguments: Json) -> Any:
        """Have the driver do something; at most `wait` seconds. Raises `InfraError` when the driver fails.

        What the service under test does wrong is part of the result; `DriverSaid` is raised when no socket
        could be had.
        """
        self._channel.send(json.dumps({"op": op, **arguments}).encode())
        answer = json.loads(self._channel.receive(time.monotonic() + wait))
        if "error" in answer:
            raise DriverSaid(str(answer["error"]))
        return answer["result"]

    def start_service(self, role: str, request: RunRequest) -> tuple[Sandbox, str]:
        """A service without any network and the name of the helper beside it."""
        sandbox = self.owned.start(role, request)
        helper = self.owned.name(f"{role}-helper-{sandbox.id[:8]}")
        return sandbox, helper

    def start_helper(self, sandbox: Sandbox, helper: str) -> Sandbox:
        """The helper inside the sandbox's network namespace. The sandbox must be running."""
        request = RunRequest(
            image=self.kit.driver, name="", trusted=True, command=driver_command("helper", helper), user=NOBODY,
            network=f"container:{sandbox.id}", volumes={self._volume: ("/sock", "rw")}, init=False,
            cpuset=self.cores.measuring, memory_mib=64, pids=16,
        )  # fmt: skip
        return self.owned.start("helper", request)

    def start_yardstick(self, model_folder: Path) -> str:
        """The yardstick service, ready; the name of its helper."""
        request = RunRequest(
            image=self.kit.yardstick, name="", trusted=True, env={**ENVIRONMENT, "PORT": str(self.service.port)},
            model_folder=model_folder, cpuset=self.cores.services,
        )  # fmt: skip
        sandbox, helper = self.start_service("yardstick", request)
        self.start_helper(sandbox, helper)
        answer = self.until_ready(helper, self.service.port, 30)
        if answer["status"] != 200:
            raise InfraError("yardstick_down", log=sandbox.log(2000))
        return helper

    def until_ready(self, helper: str, port: int, seconds: float) -> Any:
        return self.call(
            "until_ready", seconds + SLACK_SECONDS, helper=helper, port=port, path=self.service.health,
            seconds=self.limits.request_seconds, phase=seconds,
        )  # fmt: skip

    def ask(self, helper: str, bodies: Sequence[str], port: int | None = None) -> list[Any]:
        """One answer for each body, each on a connection of its own."""
        requests = [{"method": "POST", "path": self.service.predict, "body": body} for body in bodies]
        return self.send(helper, self.service.port if port is None else port, requests, self.limits.phase_seconds)

    def send(
        self, helper: str, port: int, requests: Sequence[dict[str, Json]], phase: float, sharing: int = 1
    ) -> list[Any]:
        """One answer for each request, each on a connection of its own and after a pause of its own.

        `sharing` is among how many such calls the room for answers is shared out.
        """
        return list(
            self.call(
                "ask", phase + SLACK_SECONDS, helper=helper, port=port, requests=list(requests), sharing=sharing,
                seconds=self.limits.request_seconds, phase=phase,
            )
        )  # fmt: skip

    def close(self) -> None:
        """Hang up; the containers go with the run."""
        self._channel.close()

    def forget(self, helper: str) -> None:
        self.call("forget", helper=helper)

    def _start_driver(self) -> Sandbox:
        request = RunRequest(
            image=self.kit.driver, name="", trusted=True, command=driver_command("main"), user=NOBODY, stdin=True,
            volumes={self._volume: ("/sock", "rw")}, init=False, cpuset=self.cores.measuring, memory_mib=256, pids=16,
        )  # fmt: skip
        return self.owned.start("driver", request)


class DriverSaid(InfraError):
    """The driver could not reach the service: `refused`, `timeout` or `gone`; our fault where nobody expects it."""

    def __init__(self, problem: str) -> None:
        super().__init__("driver_gone", problem=problem)
        self.problem = problem
