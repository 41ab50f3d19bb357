"""What an engine tells of itself, taken out of the answers of its `/version` and `/info`."""

from __future__ import annotations

from typing import Any

from grader.engines.base import EngineFacts

LIMITS = {"MemoryLimit": "memory", "SwapLimit": "swap", "PidsLimit": "pids", "CpuCfsQuota": "cpu"}


def engine_facts(version: dict[str, Any], info: dict[str, Any], build_pids: int | None) -> EngineFacts:
    """Versions by component, the kind of installation, and the limits that it says it cannot set."""
    options = [str(option).split(",")[0] for option in info.get("SecurityOptions") or ()]
    cgroup = str(info.get("CgroupVersion") or "")
    versions = {str(part["Name"]).lower(): str(part["Version"]) for part in version.get("Components") or ()}
    kernel = str(info.get("KernelVersion") or version.get("KernelVersion") or "")
    return EngineFacts(
        identity=str(info.get("ID") or ""),
        versions={"engine": str(version.get("Version") or info.get("ServerVersion") or ""), **versions}
        | {"kernel": kernel},
        builds={str(part["Name"]).lower(): str((part.get("Details") or {}).get("GitCommit") or "")
                for part in version.get("Components") or ()},
        system=str(info.get("OperatingSystem") or ""),
        cgroup=int(cgroup) if cgroup.isdecimal() else None,
        rootless="name=rootless" in options,
        userns="name=userns" in options,
        seccomp="name=seccomp" in options,
        lacking=tuple(name for key, name in LIMITS.items() if info.get(key) is False),
        build_pids=build_pids,
    )  # fmt: skip
