"""One start of the student's image: from the request to a box that probes can use, or to why there is none."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.engines.base import ImageInfo, RunRequest, Sandbox, Watch
from grader.errors import InfraError
from grader.probes.rig import ENVIRONMENT, DriverSaid, Rig
from grader.records import Json, Start

LOG_TAIL = 8192
SLICE_SECONDS = 0.5
ANYWHERE = {"0" * 8, "0" * 32}
DROPS_ROOT = ("SETUID", "SETGID")
VOLUME_TMPFS = "size=16m,mode=1777,nosuid,nodev"


@dataclass
class Started:
    """A container that was started, its helper (None when it had ended already) and how it became ready."""

    sandbox: Sandbox
    helper: str | None
    ready: dict[str, Json]


def run_request(rig: Rig, start: Start, image: ImageInfo, model_folder: Path, profile: str) -> RunRequest:
    """The request for one start of the student's image under a named profile."""
    spec, limits = start.spec, rig.limits
    tmp = {} if spec.tmp_mib == 64 else {"/tmp": f"size={spec.tmp_mib}m,nr_inodes=8192,mode=1777,nosuid,nodev,exec"}
    volumes = (*image.volumes, *start.volumes)
    covers = {path: VOLUME_TMPFS for path in volumes if path not in ("/tmp", "/run", "/models")}
    return RunRequest(
        image=image.id,
        name="",
        env={**ENVIRONMENT, "PORT": str(rig.service.port)},  # no HOME: the engine takes it from the image's own user
        model_folder=model_folder,
        tmpfs={**covers, **tmp},
        cap_add=DROPS_ROOT if profile == "drops_root" else (),
        default_caps=profile == "default_caps",
        init=spec.init,
        cpuset=rig.cores.services,
        memory_mib=limits.run_memory_mib,
        pids=limits.pids,
        fsize_mib=max(64, spec.tmp_mib),
    )


def start_image(rig: Rig, start: Start, image: ImageInfo, model_folder: Path, profile: str,
                watch: Watch | None) -> Started:  # fmt: skip
    """Start, put the helper beside it, wait until it is ready or cannot become so."""
    began = time.monotonic()
    sandbox, helper = rig.start_service("app", run_request(rig, start, image, model_folder, profile))
    try:
        rig.start_helper(sandbox, helper)
    except InfraError:
        if sandbox.state().running:
            raise
        return Started(sandbox, None, ended(sandbox, profile, began))
    ready = wait_ready(rig, sandbox, helper, start.exposed, profile, began)
    ready["opens"] = watch.opens() if watch else None
    return Started(sandbox, helper, ready)


def wait_ready(
    rig: Rig, sandbox: Sandbox, helper: str, exposed: tuple[int, ...], profile: str, began: float
) -> dict[str, Json]:
    """The evidence `ready`: the service said 200 and listens where it should, or which problem it has."""
    deadline = began + rig.limits.ready_seconds
    while True:
        port, answer = said_somewhere(rig, helper, exposed, deadline)
        if answer["status"] == 200:
            break
        if not sandbox.state().running:
            return ended(sandbox, profile, began)
        if time.monotonic() > deadline:
            return outcome(sandbox, profile, began, silent_problem(rig, helper, exposed), answer)
    addresses = listening(rig, helper, port)
    problem = None if addresses & ANYWHERE else "loopback_only"
    return outcome(sandbox, profile, began, problem, answer) | {"port": port}


def said_somewhere(rig: Rig, helper: str, exposed: tuple[int, ...], deadline: float) -> tuple[int, dict[str, Any]]:
    """The port that answered, the wanted one first, and its answer. Silence is told of the wanted port."""
    wanted = rig.service.port
    silence = said(rig, helper, wanted, min(SLICE_SECONDS, max(0.05, deadline - time.monotonic())))
    if silence["status"] is None:
        for port in exposed:
            if time.monotonic() < deadline and (answer := said(rig, helper, port, 0))["status"] == 200:
                return port, answer
    return wanted, silence


def said(rig: Rig, helper: str, port: int, seconds: float) -> dict[str, Any]:
    try:
        return dict(rig.until_ready(helper, port, seconds))
    except DriverSaid as error:
        return {"status": None, "json": None, "problem": error.problem}


def listening(rig: Rig, helper: str, port: int) -> set[str]:
    """The addresses (kernel hex) on which the service's port is open."""
    rows = rig.call("listeners", helper=helper)
    return {row["address"] for row in rows if row["port"] == port}


def silent_problem(rig: Rig, helper: str, exposed: tuple[int, ...]) -> str:
    """Why nobody said 200: nobody listens, somewhere else, or it listens and is not healthy."""
    with suppress(DriverSaid):
        rows = rig.call("listeners", helper=helper)
        if any(row["port"] in (rig.service.port, *exposed) for row in rows):
            return "unhealthy"
        if rows:
            return "wrong_port"
    return "not_listening"


def ended(sandbox: Sandbox, profile: str, began: float) -> dict[str, Json]:
    return outcome(sandbox, profile, began, "exited", {"status": None, "problem": None})


def outcome(
    sandbox: Sandbox, profile: str, began: float, problem: str | None, answer: dict[str, Any]
) -> dict[str, Json]:
    state = sandbox.state()
    return {
        "ok": problem is None,
        "problem": problem,
        "seconds": round(time.monotonic() - began, 3),
        "exit_code": state.exit_code,
        "oom": state.oom,
        "profile": profile,
        "log": sandbox.log(LOG_TAIL) or state.error,
        "detail": {"status": answer.get("status"), "problem": answer.get("problem")},
    }
