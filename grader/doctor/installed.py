"""What the engine says of itself: versions against known faults, kind of installation, limits that it can set."""

from __future__ import annotations

from collections.abc import Iterator

from grader.doctor.advisories import is_distribution, open_faults
from grader.doctor.finding import Finding
from grader.engines.base import EngineFacts
from grader.errors import Fact

COMPONENTS = ("engine", "containerd", "runc")
DESKTOP = "Docker Desktop"


def installed(about: EngineFacts) -> Iterator[Finding]:
    """Findings from what the engine tells; whether it keeps its word is tried elsewhere."""
    for component in COMPONENTS:
        yield faults(component, about)
    yield cgroup(about)
    yield users(about)
    if DESKTOP in about.system:
        yield Finding("desktop", "unknown", "doctor_desktop")
    yield limits(about)
    yield build_pids(about)


def faults(component: str, about: EngineFacts) -> Finding:
    """Known faults by version. A distribution may have repaired them under an old number, which we cannot see."""
    version, build = about.versions.get(component, ""), about.builds.get(component, "")
    facts: dict[str, Fact] = {"component": component, "version": version or "?"}
    found = open_faults(component, version)
    if found is None:
        return Finding(f"{component}_faults", "unknown", "doctor_faults_unknown", None, facts)
    if not found:
        return Finding(f"{component}_faults", "holds", "doctor_faults_none", None, facts)
    told, do = ("doctor_faults", "doctor_faults_do")
    if is_distribution(version, build):
        told, do = ("doctor_faults_distribution", "doctor_faults_distribution_do")
    return Finding(f"{component}_faults", "warning", told, do, facts, found)


def cgroup(about: EngineFacts) -> Finding:
    """Version 1 is what the grader's own tests have run on."""
    if about.cgroup == 1:
        return Finding("cgroup", "holds", "doctor_cgroup", None, {"version": 1})
    if about.cgroup is None:
        return Finding("cgroup", "unknown", "doctor_cgroup_unknown")
    return Finding("cgroup", "unknown", "doctor_cgroup_untested", None, {"version": about.cgroup})


def users(about: EngineFacts) -> Finding:
    """Whether root in a container is root on the machine."""
    if about.rootless or about.userns:
        return Finding("users", "unknown", "doctor_rootless" if about.rootless else "doctor_userns")
    return Finding("users", "warning", "doctor_users_shared", "doctor_users_do")


def limits(about: EngineFacts) -> Finding:
    """The limits that the engine says it can set."""
    lacking = (*about.lacking, *(() if about.seccomp else ("seccomp",)))
    if not lacking:
        return Finding("limits", "holds", "doctor_limits")
    return Finding("limits", "fails", "doctor_limits_lacking", "doctor_limits_do", {"lacking": ", ".join(lacking)})


def build_pids(about: EngineFacts) -> Finding:
    if about.build_pids is not None:
        return Finding("build_pids", "holds", "doctor_build_pids", None, {"limit": about.build_pids})
    return Finding("build_pids", "warning", "doctor_build_pids_none", "doctor_build_pids_do")
