"""What happens on the engine, seen from beside the grader: each container's settings as the engine has taken them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, NotFound

from grader.engines.base import RunRequest
from grader.engines.building import MARKED
from grader.engines.settings import MIB, differences, host_config
from grader.modelling import MEMORY_MIB
from grader.probes.rig import share_out
from grader.probes.starting import VOLUME_TMPFS
from grader.workrooms import shelf
from grader.workrooms.container import USUAL
from tests.corpus.grading import Trace

if TYPE_CHECKING:
    from docker import APIClient

SETTLE_SECONDS = 5.0
TMPFS = {  # of a room that our own program has to itself
    shelf.PATHS[room]: f"size={mib}m,uid=65534,gid=65534,mode=0700,nosuid,nodev"
    for room, mib in {**shelf.SIZES, "out": USUAL.out_mib}.items()
}
NEVER = ("Privileged", "PublishAllPorts", "AutoRemove", "Devices", "PortBindings", "ExtraHosts", "Links", "Mounts",
         "VolumesFrom", "DeviceRequests", "GroupAdd")  # fmt: skip


class Watcher(threading.Thread):
    """Notes the settings of every container that is created on the engine while it runs."""

    def __init__(self, api: APIClient, own: APIClient) -> None:
        super().__init__(daemon=True)
        self._api = api
        self._events = own.events(decode=True, filters={"type": "container", "event": "create"})
        self.seen: dict[str, dict[str, Any]] = {}

    def run(self) -> None:
        with suppress(Exception):  # the stream is closed under it
            for event in self._events:
                with suppress(NotFound, APIError):
                    found = self._api.inspect_container(event["id"])
                    self.seen[event["id"]] = found

    def close(self) -> None:
        self._events.close()

    def faults(self, trace: Trace, runs: Path, cores: int) -> list[str]:
        """What did not match, of the containers of one run; and which of them nobody saw."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while not set(trace.ids.values()) <= set(self.seen) and time.monotonic() < deadline:
            time.sleep(0.1)
        faults = [f"never seen: {name}" for name, identity in trace.ids.items() if identity not in self.seen]
        markers = {int(marker) for marker in trace.names("building")}
        for identity, found in list(self.seen.items()):
            name, host = found["Name"].lstrip("/"), found["HostConfig"]
            if ("container", name) in trace.made or identity in trace.ids.values():
                faults += [f"{name}: {fault}" for fault in run_faults(name, host, trace, runs, cores)]
            elif markers & marks(host):
                faults += [f"build: {fault}" for fault in build_faults(host)]
        return faults


def marks(host: dict[str, Any]) -> set[int]:
    return {limit["Hard"] for limit in host.get("Ulimits") or () if limit["Name"] == MARKED}


def run_faults(name: str, host: dict[str, Any], trace: Trace, runs: Path, cores: int) -> list[str]:
    """How a container of the run differs from what its role may have, and from what no container may have."""
    role = name.split("-")[2]
    drifts = [differences(host_config(want), host) for want in wants(role, host, trace, runs, cores)]
    faults = list(min(drifts, key=len, default=[f"nothing that a {role} may be"]))
    faults += [key for key in NEVER if host.get(key)]
    faults += [] if host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] else ["floor: root file system, capabilities"]
    faults += [] if set(host["CapAdd"] or ()) <= {"SETUID", "SETGID"} else ["floor: added capabilities"]
    faults += [] if "no-new-privileges" in host["SecurityOpt"] else ["floor: new privileges"]
    pids, memory = (USUAL.pids, USUAL.memory_mib) if role == "room" else (256, 512)
    faults += [] if 0 < (host["PidsLimit"] or 0) <= pids and 0 < host["Memory"] <= memory * MIB else ["floor: pids, memory"]
    return faults


def wants(role: str, host: dict[str, Any], trace: Trace, runs: Path, cores: int) -> Iterator[RunRequest]:
    """The requests that a container of this role may have been started with."""
    share = share_out(cores)
    socket = dict.fromkeys(trace.names("volume"), ("/sock", "rw"))
    if role in ("app", "yardstick"):
        folder = Path((host["Binds"] or ["?"])[0].partition(":")[0])
        if not folder.is_relative_to(runs / "work"):
            return
        # A volume of the image is a memory disk of one size, wherever the image wants it.
        covers = {path: VOLUME_TMPFS for path in host.get("Tmpfs") or () if path not in ("/tmp", "/run")}
        for caps in ((), ("SETUID", "SETGID")) if role == "app" else ((),):
            yield RunRequest("", "", model_folder=folder, cap_add=caps, cpuset=share.services, tmpfs=covers)
    elif role == "driver":
        yield RunRequest("", "", init=False, volumes=socket, cpuset=share.measuring, memory_mib=256, pids=16)
    elif role == "helper":
        for network in (f"container:{identity}" for identity in trace.ids.values()):
            yield RunRequest("", "", init=False, volumes=socket, cpuset=share.measuring, memory_mib=64, pids=16,
                             network=network)  # fmt: skip

    elif role == "room":
        room = RunRequest("", "", init=False, volumes=rooms(host, trace, shelf.READ_ONLY))
        for size in (USUAL, replace(USUAL, memory_mib=MEMORY_MIB)):
            sized = replace(room, memory_mib=size.memory_mib, pids=size.pids, cpus=size.cpus)
            yield sized
            yield replace(sized, volumes={}, tmpfs=TMPFS)
    elif role == "holder":
        yield RunRequest("", "", init=False, volumes=rooms(host, trace, (), "/0"), memory_mib=shelf.HOLDER_MIB, pids=16,
                         fsize_mib=max(shelf.SIZES.values()))  # fmt: skip


def rooms(
    host: dict[str, Any], trace: Trace, read_only: Collection[str], slot: str = ""
) -> dict[str, tuple[str, str]]:
    """The run's own volumes that the container has, each where its room belongs; a holder has them by slots."""
    names = [bind.partition(":")[0] for bind in host["Binds"] or ()]
    places = {name: name.split("-")[2] for name in names if name in trace.names("volume")}
    return {
        name: (slot + shelf.PATHS[room], "ro,nocopy" if room in read_only else "rw,nocopy")
        for name, room in places.items()
    }


def build_faults(host: dict[str, Any]) -> list[str]:
    """How a build's container differs from what a build may have."""
    limits = {limit["Name"]: limit["Hard"] for limit in host.get("Ulimits") or ()}
    kept = {
        "network": host["NetworkMode"] == "none",
        "memory": host["Memory"] == host["MemorySwap"] == 1024 * MIB,
        "file size": limits.get("fsize") == 512 * MIB,
        "processor": host["CpuQuota"] == host["CpuPeriod"] == 100_000,
        "processes": not os.path.isdir("/sys/fs/cgroup/pids/grader-build") or host["CgroupParent"] == "/grader-build",
    }
    return [name for name, right in kept.items() if not right] + [key for key in NEVER if host.get(key)]
