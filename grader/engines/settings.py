"""The settings every container gets, and the guard that compares them before anything starts.

Values and reasons: docs/explanation/security.md. A daemon that cannot enforce a limit drops it with a
warning; the comparison after `create` turns that into a refusal.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from grader.engines.base import RunRequest

MIB = 1024 * 1024
RUN_LABEL = "grader.kind"
NOSUID = "nosuid,nodev"


@cache
def seccomp_profile() -> str:
    """Our seccomp profile as the JSON text that the engine takes."""
    text = resources.files("grader.engines").joinpath("seccomp.json").read_text(encoding="utf-8")
    return json.dumps(json.loads(text), separators=(",", ":"))


def security_options(request: RunRequest) -> list[str]:
    """No-new-privileges and seccomp; `default_caps` starts keep the engine's defaults on purpose."""
    options = [f"seccomp={seccomp_profile()}"]
    return options if request.default_caps else ["no-new-privileges", *options]


def tmpfs(request: RunRequest) -> dict[str, str]:
    base = {"/tmp": f"size=64m,nr_inodes=8192,mode=1777,{NOSUID},exec", "/run": f"size=1m,mode=0755,{NOSUID}"}
    return {**base, **request.tmpfs}


def host_config(request: RunRequest) -> dict[str, Any]:
    """The engine API's HostConfig for a request."""
    binds = [f"{request.model_folder}:/models:ro"] if request.model_folder else []
    binds += [f"{volume}:{path}:{mode}" for volume, (path, mode) in request.volumes.items()]
    return {
        "NetworkMode": request.network,
        "ReadonlyRootfs": True,
        "CapDrop": [] if request.default_caps else ["ALL"],
        "CapAdd": list(request.cap_add),
        "SecurityOpt": security_options(request),
        "Memory": request.memory_mib * MIB,
        "MemorySwap": request.memory_mib * MIB,
        "OomScoreAdj": 500,
        "PidsLimit": request.pids,
        "NanoCpus": round(request.cpus * 1_000_000_000),
        "CpusetCpus": request.cpuset or "",
        "ShmSize": 32 * MIB,
        "IpcMode": "private",
        "Tmpfs": tmpfs(request),
        "Binds": binds,
        "Ulimits": [
            {"Name": "nofile", "Soft": 1024, "Hard": 1024},
            {"Name": "fsize", "Soft": request.fsize_mib * MIB, "Hard": request.fsize_mib * MIB},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "Init": request.init,
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "AutoRemove": False,
        "Privileged": False,
        "PublishAllPorts": False,
    }


def container_config(request: RunRequest) -> dict[str, Any]:
    """The whole body of the engine's create call."""
    config: dict[str, Any] = {
        "Image": request.image,
        "Hostname": "" if request.network.startswith("container:") else "app",
        "Env": [f"{name}={value}" for name, value in sorted(request.env.items())],
        "Tty": False,
        "OpenStdin": request.stdin,
        "StdinOnce": request.stdin,
        "Healthcheck": {"Test": ["NONE"]},
        "StopSignal": "SIGKILL",
        "Labels": {RUN_LABEL: "trusted" if request.trusted else "submission"},
        "HostConfig": host_config(request),
    }
    if request.command is not None:
        config |= {"Entrypoint": [], "Cmd": list(request.command)}
    if request.user is not None:
        config["User"] = request.user
    return config


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Names of the HostConfig settings that the engine did not take over as wanted.

    Devices, ports, extra hosts and host namespaces are never wanted, so they must be absent.
    """
    drifted = [key for key, value in wanted.items() if not same(value, found.get(key))]
    unwanted = ("Devices", "PortBindings", "ExtraHosts", "Links", "VolumesFrom", "GroupAdd", "Mounts", "DeviceRequests")
    drifted += [key for key in unwanted if found.get(key)]
    drifted += [key for key in ("PidMode", "UTSMode", "UsernsMode") if found.get(key) == "host"]
    return drifted


def same(wanted: Any, found: Any) -> bool:
    """Equal, where the engine writes an empty list as null and sorts lists of objects as it likes."""
    if not wanted and not found:
        return True
    if isinstance(wanted, list) and isinstance(found, list):
        return sorted(map(_canonical, wanted)) == sorted(map(_canonical, found))
    return bool(wanted == found)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
