"""A limit that an engine writes down otherwise than it was asked to, and that nobody notices."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from grader.engines.base import RunRequest
from grader.engines.settings import container_config, differences, host_config, seccomp_profile

REQUEST = RunRequest(
    image="sha256:1",
    name="n",
    model_folder=Path("/run/models"),
    volumes={"v": ("/sock", "rw")},
    env={"B": "2", "A": "1"},
)


def applied(**changes: Any) -> dict[str, Any]:
    """What an engine that does as told answers, with changes."""
    return copy.deepcopy(host_config(REQUEST)) | changes


def test_an_engine_that_does_as_told_has_no_differences() -> None:
    assert differences(host_config(REQUEST), applied()) == []


@pytest.mark.parametrize("setting", [key for key, value in host_config(REQUEST).items() if value])
def test_a_setting_that_got_lost_is_named(setting: str) -> None:
    found = applied()
    del found[setting]
    assert differences(host_config(REQUEST), found) == [setting]


def test_what_the_engine_adds_and_rewrites_is_no_difference() -> None:
    found = applied(
        CapAdd=None,
        CpusetCpus="",
        Ulimits=list(reversed(host_config(REQUEST)["Ulimits"])),
        Isolation="",
        PortBindings={},
        Devices=[],
        ExtraHosts=None,
        PidMode="",
    )
    assert differences(host_config(REQUEST), found) == []


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("Devices", [{"PathOnHost": "/dev/kvm"}]),
        ("DeviceRequests", [{"Count": -1}]),
        ("PortBindings", {"8000/tcp": [{"HostPort": "8000"}]}),
        ("ExtraHosts", ["a:1.2.3.4"]),
        ("Mounts", [{"Type": "bind", "Source": "/"}]),
        ("VolumesFrom", ["other"]),
        ("Links", ["other"]),
        ("GroupAdd", ["docker"]),
        ("PidMode", "host"),
        ("UTSMode", "host"),
        ("UsernsMode", "host"),
        ("CapAdd", ["SYS_ADMIN"]),
        ("Binds", ["/run/models:/models:rw", "v:/sock:rw"]),
        ("Ulimits", []),
    ],
)
def test_what_nobody_asked_for_is_a_difference(setting: str, value: object) -> None:
    assert differences(host_config(REQUEST), applied(**{setting: value})) == [setting]


def test_the_model_is_bound_for_reading_only() -> None:
    assert host_config(REQUEST)["Binds"] == ["/run/models:/models:ro", "v:/sock:rw"]


def test_a_start_with_the_engine_s_own_rights_differs_in_those_alone() -> None:
    default = host_config(RunRequest(image="sha256:1", name="n", default_caps=True))
    hardened = host_config(RunRequest(image="sha256:1", name="n"))
    assert {key for key in hardened if hardened[key] != default[key]} == {"CapDrop", "SecurityOpt"}
    assert default["SecurityOpt"] == [f"seccomp={seccomp_profile()}"]


def test_an_image_s_own_command_and_user_are_kept_unless_ours_is_given() -> None:
    config = container_config(REQUEST)
    assert not {"Cmd", "Entrypoint", "User"} & set(config)
    ours = container_config(RunRequest(image="i", name="n", command=("a", "b"), user="1:1"))
    assert (ours["Entrypoint"], ours["Cmd"], ours["User"]) == ([], ["a", "b"], "1:1")


def test_the_environment_is_in_a_fixed_order() -> None:
    assert container_config(REQUEST)["Env"] == ["A=1", "B=2"]


@pytest.mark.parametrize(
    "call", ["io_uring_setup", "io_uring_enter", "keyctl", "add_key", "userfaultfd", "bpf", "ptrace"]
)
def test_the_seccomp_profile_allows_no_dangerous_call_without_a_right(call: str) -> None:
    profile = json.loads(seccomp_profile())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowing = [
        rule
        for rule in profile["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and call in rule["names"] and not rule.get("includes", {}).get("caps")
    ]
    assert [rule for rule in allowing if not rule.get("includes", {}).get("minKernel")] == []
