"""A doctor that calls a machine sound because it did not look, or that cries wolf about a version that is repaired."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader import doctor, words
from grader.doctor import Finding, machine
from grader.doctor.advisories import advisories, is_distribution, open_faults, parse
from grader.doctor.installed import installed
from grader.doctor.trials import ATTEMPTS, JUDGES, judge, read_line
from grader.engines.base import EngineFacts
from grader.engines.facts import engine_facts

# docker-py forgets the socket that could not connect.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

SOUND = EngineFacts(
    "id", {"engine": "29.6.0", "containerd": "2.3.1", "runc": "1.4.1", "kernel": "6.1"}, cgroup=1, build_pids=512
)
HELD: dict[str, dict[str, Any]] = {
    "memory": {"killed": True, "taken_mib": 61, "limit_mib": 64},
    "pids": {"refused": "EAGAIN", "forked": 31, "limit": 32},
    "seccomp": {"mode": "2", "reached": []},
    "disk": {"refused": "ENOSPC", "written_mib": 8.0, "limit_mib": 8},
    "readonly": {"written": []},
    "network": {"interfaces": [], "routes": 0, "sockets": []},
    "rights": {"capabilities": []},
    "climb": {"program": "/bin/su", "uid": 65534, "own": 65534, "no_new_privileges": "1"},
}
BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("memory", {"killed": False, "taken_mib": 128}, "128"),
    ("pids", {"refused": None, "forked": 64}, "64"),
    ("pids", {"forked": 40}, "40"),  # refused, but late: somebody else's limit
    ("pids", {"refused": "ENOMEM"}, "31"),
    ("seccomp", {"mode": "0"}, "0"),
    ("seccomp", {"reached": ["keyctl"]}, "keyctl"),
    ("disk", {"refused": None, "written_mib": 16.0}, "16"),
    ("disk", {"refused": "EFBIG", "written_mib": 12.0}, "12"),
    ("readonly", {"written": ["/etc"]}, "/etc"),
    ("network", {"interfaces": ["eth0"]}, "eth0"),
    ("network", {"routes": 1}, "routes"),
    ("network", {"sockets": ["vsock"]}, "vsock"),
    ("rights", {"capabilities": ["00000000a80425fb"]}, "a80425fb"),
    ("climb", {"uid": 0}, "uid 0"),
    ("climb", {"no_new_privileges": "0"}, "su"),
    ("climb", {"program": None, "uid": None, "no_new_privileges": "0"}, "-"),
]


def assert_said(finding: Finding) -> str:
    """What the finding says in English; in both languages, no fact is missing."""
    said = {}
    for lang in ("en", "fr"):
        codes = [finding.what, *([finding.do] if finding.do else [])]
        assert all(words.known(code) for code in codes), codes
        said[lang] = " ".join(words.say(code, lang, finding.facts) for code in codes)
        assert "{" not in said[lang]
    assert said["en"] != said["fr"]
    return said["en"]


# --- what was tried ---------------------------------------------------------------------------------


def test_each_attempt_has_a_judge_and_an_answer_that_holds() -> None:
    from grader.doctor import inside

    assert set(ATTEMPTS) == set(JUDGES) == set(inside.ATTEMPTS) == set(HELD)


@pytest.mark.parametrize("name", HELD)
def test_what_was_stopped_holds_and_asks_for_nothing(name: str) -> None:
    finding = judge(name, HELD[name])
    assert (finding.id, finding.state, finding.do) == (name, "holds", None)
    assert_said(finding)


@pytest.mark.parametrize(("name", "change", "shown"), BROKEN)
def test_what_was_not_stopped_fails_and_says_how_far_it_went(name: str, change: dict[str, Any], shown: str) -> None:
    finding = judge(name, HELD[name] | change)
    assert finding.state == "fails"
    assert shown in assert_said(finding)
    assert finding.do


@pytest.mark.parametrize("name", HELD)
def test_no_answer_or_half_of_one_is_not_taken_for_good(name: str) -> None:
    halves = [{key: value for key, value in HELD[name].items() if key != left_out} for left_out in HELD[name]]
    for answer in (None, {}, *halves):
        finding = judge(name, answer)
        assert finding.state in ("unknown", "holds")
        if not answer:
            assert finding.state == "unknown"
        assert_said(finding)
    assert judge("seccomp", {"mode": "2", "reached": None}).state == "unknown", "a machine whose calls we do not know"


@pytest.mark.parametrize(
    "line", ["", "Traceback (most recent call last):", '{"id": "pids", "forked"', "[1]", "3", "{}"]
)
def test_a_line_that_is_no_answer_is_left_out(line: str) -> None:
    assert read_line(line) is None


# --- what is installed ------------------------------------------------------------------------------


def by_id(about: EngineFacts) -> dict[str, Finding]:
    found = {finding.id: finding for finding in installed(about)}
    for finding in found.values():
        assert_said(finding)
    return found


def test_an_engine_of_today_on_tested_ground_holds_but_for_its_shared_kernel() -> None:
    states = {name: finding.state for name, finding in by_id(SOUND).items()}
    assert states.pop("users") == "warning"
    assert set(states.values()) == {"holds"}


@pytest.mark.parametrize(
    ("change", "name", "state", "what"),
    [
        ({"cgroup": 2}, "cgroup", "unknown", "have not run"),
        ({"cgroup": None}, "cgroup", "unknown", "does not tell"),
        ({"rootless": True}, "users", "unknown", "have not run"),
        ({"userns": True}, "users", "unknown", "have not run"),
        ({"system": "Docker Desktop"}, "desktop", "unknown", "have not run"),
        ({"lacking": ("memory", "pids")}, "limits", "fails", "memory, pids"),
        ({"seccomp": False}, "limits", "fails", "seccomp"),
        ({"build_pids": None}, "build_pids", "warning", "nothing limits"),
        ({"versions": {"engine": "1", "kernel": "1"}}, "runc_faults", "unknown", "does not tell"),
    ],
)
def test_what_is_not_known_here_is_not_called_good(change: dict[str, Any], name: str, state: str, what: str) -> None:
    finding = by_id(replace(SOUND, **change))[name]
    assert finding.state == state
    assert what in assert_said(finding)


@pytest.mark.parametrize(
    ("component", "version", "fault", "there"),
    [
        ("runc", "1.1.5+ds1", "CVE-2024-21626", True),
        ("runc", "1.1.11", "CVE-2024-21626", True),
        ("runc", "1.1.12", "CVE-2024-21626", False),
        ("runc", "1.1.12", "CVE-2025-31133", True),
        ("runc", "1.2.7", "CVE-2025-52565", True),
        ("runc", "1.2.8", "CVE-2025-52565", False),
        ("runc", "1.3.2", "CVE-2025-52881", True),
        ("runc", "1.3.3", "CVE-2025-52881", False),
        ("runc", "1.4.0-rc.2", "CVE-2025-31133", True),
        ("runc", "1.4.0-rc.3", "CVE-2025-31133", False),
        ("runc", "1.4.0", "CVE-2025-31133", False),
        ("runc", "v1.5.0", "CVE-2025-31133", False),
        ("engine", "20.10.24+dfsg1", "CVE-2024-29018", True),
        ("engine", "24.0.9", "CVE-2024-29018", True),  # between two repaired branches, itself not repaired
        ("engine", "25.0.5", "CVE-2024-29018", False),
        ("engine", "24.0.9", "CVE-2024-24557", False),
        ("engine", "25.0.1", "CVE-2024-24557", True),
        ("engine", "26.0.0", "CVE-2024-24557", False),
        ("engine", "29.5.0", "CVE-2026-41567", True),
        ("engine", "29.5.1", "CVE-2026-41567", False),
        ("containerd", "1.6.20~ds1", "CVE-2024-40635", True),
        ("containerd", "2.0.4", "CVE-2024-40635", False),
    ],
)
def test_a_version_has_the_faults_of_its_branch(component: str, version: str, fault: str, there: bool) -> None:
    found = open_faults(component, version)
    assert found is not None
    assert (fault in [row.id for row in found]) is there


def test_a_version_that_cannot_be_read_is_not_called_free_of_faults() -> None:
    assert open_faults("runc", "unknown") is None
    assert open_faults("runc", "") is None


def test_the_table_of_faults_can_be_read_and_says_each_in_both_languages() -> None:
    for row in advisories():
        assert row.component in ("engine", "containerd", "runc")
        assert row.fixed_in and all(parse(version) for version in row.fixed_in)
        assert row.en != row.fr and row.en.endswith(".") and row.fr.endswith(".")
    assert len({row.id for row in advisories()}) == len(advisories())


@pytest.mark.parametrize(
    ("version", "build", "distribution"),
    [
        ("1.1.5+ds1", "1.1.5+ds1-1+deb12u1", True),
        ("1.6.20~ds1", "", True),
        ("1.1.12", "1.1.12-0ubuntu2~22.04.1", True),
        ("1.1.12", "v1.1.12-0-g51d5e94", False),
        ("24.0.7", "311b9ff", False),
        ("1.7.25", "bcc810d6b9066471b0b6fa75f557a15a1cbf31bb", False),
    ],
)
def test_a_distribution_s_build_is_known_and_said_to_be_one(version: str, build: str, distribution: bool) -> None:
    assert is_distribution(version, build) is distribution
    about = replace(SOUND, versions={**SOUND.versions, "runc": "1.1.5"}, builds={"runc": build or version})
    assert ("backported" in assert_said(by_id(about)["runc_faults"])) is distribution


def test_what_an_engine_answers_is_read_whole() -> None:
    version = {
        "Version": "20.10.24+dfsg1",
        "Components": [
            {"Name": "Engine", "Version": "20.10.24+dfsg1", "Details": {"GitCommit": "5d6db84"}},
            {"Name": "containerd", "Version": "1.6.20~ds1", "Details": {"GitCommit": "1.6.20~ds1-1+deb12u3"}},
            {"Name": "runc", "Version": "1.1.5+ds1"},
        ],
    }
    info = {
        "ID": "2KPH", "KernelVersion": "6.1.0", "CgroupVersion": "2", "OperatingSystem": "Debian", "PidsLimit": False,
        "MemoryLimit": True, "SecurityOptions": ["name=seccomp,profile=default", "name=rootless", "name=cgroupns"],
    }  # fmt: skip
    about = engine_facts(version, info, None)
    assert about.versions == {
        "engine": "20.10.24+dfsg1", "containerd": "1.6.20~ds1", "runc": "1.1.5+ds1", "kernel": "6.1.0"
    }  # fmt: skip
    assert about.builds["containerd"].endswith("deb12u3")
    assert (about.cgroup, about.rootless, about.userns, about.seccomp) == (2, True, False, True)
    assert about.lacking == ("pids",)
    bare = engine_facts({"Version": "4.3"}, {}, None)
    assert (bare.versions["engine"], bare.cgroup, bare.seccomp, bare.lacking) == ("4.3", None, False, ())


# --- the whole --------------------------------------------------------------------------------------


def test_without_an_engine_nothing_is_called_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    found = {finding.id: finding for finding in doctor.examine(tmp_path / "runs", tmp_path)}
    gc.collect()  # the socket that was forgotten is not another test's trouble
    assert {found[name].state for name in ATTEMPTS} == {"unknown"}
    assert found["engine"].state == "fails"
    for finding in found.values():
        assert_said(finding)


def test_a_full_disk_fails_and_a_fuller_one_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    for free in (6.0, 3.0, 1.0):
        usage = type("Usage", (), {"free": free * machine.GIB})
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder, usage=usage: usage)
        finding = machine.disk(tmp_path / "not" / "yet")
        assert_said(finding)
        states.append(finding.state)
    assert states == ["holds", "warning", "fails"]
