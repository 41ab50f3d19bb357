"""A student's container that can do what it must not, or an engine that quietly drops a limit."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grader.engines.base import RunRequest
from grader.engines.settings import container_config, differences
from grader.errors import InfraError
from grader.probes.rig import Cores
from grader.probes.starting import run_request
from grader.records import Limits, Service, Start, StartSpec

from . import cases
from .benches import Bench, on

MIB = 1024 * 1024
SCRIPT = Path(__file__).with_name("inside.py").read_text()
# An image that tries to be somebody else's: our label, other ends, its own disk, variables, ports.
GREEDY = """LABEL grader.kind=trusted
VOLUME ["/data", "/srv/more"]
HEALTHCHECK --interval=1s CMD touch /tmp/checked
STOPSIGNAL SIGUSR1
EXPOSE 1-30
ENV GRADE=20
"""
FOUND: dict[str, Any] = {}


def student_request(bench: Bench, image: str, profile: str = "hardened", **limits: float) -> RunRequest:
    """The very request that a start of a student's image makes."""
    rig: Any = SimpleNamespace(limits=Limits(**limits), service=Service(), cores=Cores("0", "0"))
    (bench.folder / "models").mkdir(exist_ok=True)
    (bench.folder / "models" / "model.onnx").write_bytes(b"model")
    (bench.folder / "models").chmod(0o755)
    info = bench.engine.images.find(image)
    assert info is not None
    start = Start(name="normal", spec=StartSpec(probes=(), init=False))
    return run_request(rig, start, info, bench.folder / "models", profile)


def start(bench: Bench, request: RunRequest) -> Any:
    """The started sandbox and what the engine says of it."""
    name = bench.name("box")
    bench.made.append(("container", name))
    sandbox = bench.engine.runner.start(replace(request, name=name))
    return sandbox, bench.engine._api.inspect_container(sandbox.id)


@pytest.fixture
def facts(bench: Bench) -> dict[str, Any]:
    """What a container of a greedy image could do; asked once."""
    if not FOUND:
        built = bench.build(GREEDY)
        request = replace(student_request(bench, built.image or "", pids=40), fsize_mib=48)
        sandbox, FOUND["inspected"] = start(bench, replace(request, command=("python", "-c", SCRIPT)))
        assert sandbox.wait(30).exit_code == 0, sandbox.log()
        FOUND.update(json.loads(sandbox.log()))
    return FOUND


@on("kernel")
def test_a_container_of_a_root_image_has_no_right_at_all(bench: Bench, facts: dict[str, Any]) -> None:
    status = facts["status"]
    assert status["Uid"].split() == ["0"] * 4
    assert {status[key] for key in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert facts["chown"] == "EPERM"
    assert facts["nice"] in ("EPERM", "EACCES")


@on("kernel")
def test_a_container_sees_no_network_but_itself(bench: Bench, facts: dict[str, Any]) -> None:
    assert facts["interfaces"] == ["lo"]
    assert facts["routes"] == []


@on("kernel")
def test_a_container_writes_nowhere_but_in_its_memory_disks(bench: Bench, facts: dict[str, Any]) -> None:
    assert facts["writes"] == {"": "EROFS", "/usr": "EROFS", "/etc": "EROFS", "/models": "EROFS", "/dev/shm": None}


@on("kernel")
@pytest.mark.parametrize("name", ["io_uring_setup", "keyctl", "userfaultfd", "bpf", "perf_event_open", "unshare"])
def test_a_dangerous_system_call_is_refused(bench: Bench, facts: dict[str, Any], name: str) -> None:
    assert facts["calls"][name] in ("EPERM", "ENOSYS")


@on("kernel")
def test_a_container_opens_no_socket_to_the_host_of_its_machine(bench: Bench, facts: dict[str, Any]) -> None:
    assert facts["vsock"] in ("EPERM", "EAFNOSUPPORT", "EACCES")


@on("kernel")
def test_every_limit_holds(bench: Bench, facts: dict[str, Any]) -> None:
    assert facts["large"] == [48 * MIB, "EFBIG"]
    assert facts["rest"] == [16 * MIB, "ENOSPC"]  # what is left of /tmp
    assert facts["run"] == [MIB, "ENOSPC"]
    assert 8000 < facts["files"] <= 8192
    assert 1000 < facts["open"] <= 1024
    assert 30 < facts["threads"] < 40


@on("kernel")
def test_a_volume_of_the_image_is_no_way_to_the_host_s_disk(bench: Bench, facts: dict[str, Any]) -> None:
    assert facts["data"] == [16 * MIB, "ENOSPC"]
    mounts = facts["inspected"]["Mounts"]
    assert {(mount["Type"], mount["Destination"], mount["RW"]) for mount in mounts if mount["Type"] != "tmpfs"} == {
        ("bind", "/models", False)
    }


@on("kernel")
def test_an_image_cannot_pass_for_ours_or_choose_how_it_is_run(bench: Bench, facts: dict[str, Any]) -> None:
    config = facts["inspected"]["Config"]
    assert config["Labels"]["grader.kind"] == "submission"
    assert config["Healthcheck"]["Test"] == ["NONE"]
    assert (config["StopSignal"], config["Hostname"]) == ("SIGKILL", "app")
    assert facts["inspected"]["HostConfig"]["PortBindings"] in (None, {})
    assert facts["hostname"] == "app"


@on("kernel")
def test_nothing_in_the_environment_tells_that_it_is_a_test(bench: Bench, facts: dict[str, Any]) -> None:
    ours = {"HOME", "HOSTNAME", "LANG", "MODEL_PATH", "PORT", "TZ"}
    assert set(facts["environment"]) - {"PATH", "GRADE", "LC_CTYPE"} == ours


@on("kernel")
def test_every_setting_is_applied_as_it_was_wanted(bench: Bench, facts: dict[str, Any]) -> None:
    request = replace(student_request(bench, bench.base.id), command=cases.RUNS)
    _, inspected = start(bench, request)
    assert differences(container_config(request)["HostConfig"], inspected["HostConfig"]) == []


@on("kernel")
def test_a_climber_is_given_just_what_an_engine_gives_by_default(bench: Bench) -> None:
    request = student_request(bench, bench.base.id, "default_caps")
    sandbox, _ = start(
        bench, replace(request, command=("grep", "-E", "CapEff|NoNewPrivs|Seccomp:", "/proc/self/status"))
    )
    sandbox.wait(10)
    assert sandbox.log().split() == ["CapEff:", "00000000a80425fb", "NoNewPrivs:", "0", "Seccomp:", "2"]


@on("kernel")
def test_an_entry_script_that_drops_root_gets_two_rights_and_no_more(bench: Bench) -> None:
    request = student_request(bench, bench.base.id, "drops_root")
    sandbox, _ = start(bench, replace(request, command=("grep", "-E", "CapEff|NoNewPrivs", "/proc/self/status")))
    sandbox.wait(10)
    assert sandbox.log().split() == ["CapEff:", "00000000000000c0", "NoNewPrivs:", "1"]


DRIFTS: dict[str, Any] = {
    "Memory": 0, "PidsLimit": 0, "NanoCpus": 0, "ReadonlyRootfs": False, "CapDrop": None, "CapAdd": ["SYS_ADMIN"],
    "SecurityOpt": ["no-new-privileges"], "NetworkMode": "bridge", "Ulimits": None, "Privileged": True,
    "PidMode": "host", "Devices": [{"PathOnHost": "/dev/kvm"}], "Binds": ["/:/host"], "ExtraHosts": ["a:1.2.3.4"],
}  # fmt: skip


@on("kernel")
@pytest.mark.parametrize(("setting", "value"), DRIFTS.items(), ids=DRIFTS)
def test_an_engine_that_drops_a_setting_starts_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, setting: str, value: object
) -> None:
    api: Any = bench.engine._api
    inspect = api.inspect_container

    def drifted(container: str) -> dict[str, Any]:
        found = inspect(container)
        found["HostConfig"][setting] = value
        return dict(found)

    monkeypatch.setattr(api, "inspect_container", drifted)
    with pytest.raises(InfraError) as caught:
        bench.start(cases.RUNS)
    assert (caught.value.code, caught.value.facts["settings"]) == ("settings_drift", setting)
    assert api.containers(all=True, filters={"name": bench.made[-1][1]}) == []


@on("kernel")
def test_opens_of_the_model_file_are_counted_one_by_one(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("model.onnx", "other.onnx"):
        (folder / name).write_bytes(b"model")
    watch = bench.engine.host.watch(folder, "model.onnx")
    assert watch is not None, "file events reach us on the machine of the engine"
    try:
        code = "for _ in range(250): open('/models/model.onnx').read(); open('/models/other.onnx').read()"
        bench.ended(("python", "-c", code), model_folder=folder)
        assert watch.opens() == 250
        bench.ended(("python", "-c", "open('/models/other.onnx'); open('/models/model.onnx')"), model_folder=folder)
        assert watch.opens() == 1
        assert watch.opens() == 0
    finally:
        watch.close()


@on("kernel")
def test_two_containers_that_share_a_network_hear_each_other_and_nobody_else_does(bench: Bench) -> None:
    serve = "import socket; s = socket.create_server(('127.0.0.1', 8000)); s.accept()[0].sendall(b'hello')"
    first = bench.start(("python", "-c", serve))
    code = (
        "import socket, time\n"
        "for _ in range(100):\n"
        "    try: print(socket.create_connection(('127.0.0.1', 8000), 1).recv(9)); break\n"
        "    except OSError as error: print(type(error).__name__, end=' '); time.sleep(0.05)\n"
    )
    beside = bench.ended(("python", "-c", code), network=f"container:{first.id}")
    assert beside.log().strip().endswith("b'hello'")
    apart = bench.start(("python", "-c", code.replace("100", "3")))
    apart.wait(10)
    assert apart.log().split() == ["ConnectionRefusedError"] * 3


@on("kernel")
def test_only_nobody_may_enter_the_volume_of_the_sockets(bench: Bench) -> None:
    name = bench.name("volume")
    bench.made.append(("volume", name))
    bench.engine.runner.create_volume(name)
    look = ("sh", "-c", "ls -ld /sock; ls /sock; df -k /sock | tail -1")
    mount = {"volumes": {name: ("/sock", "rw")}}
    assert bench.ended(look, user="65534:65534", **mount).log().startswith("drwx------ 2 nobody nogroup")
    assert "Permission denied" in bench.ended(look, user="1000:1000", **mount).log()


@on("kernel")
def test_lines_to_and_from_a_container_of_ours(bench: Bench) -> None:
    echo = (
        "import sys\n"
        "for line in sys.stdin:\n"
        "    print(line.strip()[::-1] * 100_000, flush=True)\n"
        "    print('beside', file=sys.stderr)\n"
    )
    sandbox = bench.start(("python", "-u", "-c", echo), stdin=True)
    channel = sandbox.attach()
    try:
        for word in (b"abc", b"def"):
            channel.send(word)
            assert channel.receive(time.monotonic() + 10) == word[::-1] * 100_000
        with pytest.raises(InfraError) as silent:
            channel.receive(time.monotonic() + 0.2)
        sandbox.signal("SIGKILL")
        with pytest.raises(InfraError) as gone:
            channel.receive(time.monotonic() + 10)
    finally:
        channel.close()
    assert (silent.value.code, gone.value.code) == ("driver_silent", "driver_gone")
