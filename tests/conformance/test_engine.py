"""One behaviour for every engine behind the seam: what `running` relies on, whichever engine answers."""

from __future__ import annotations

import gc
import io
import secrets
import signal
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from grader.engines.base import RunRequest
from grader.engines.owned import Owned
from grader.engines.reaper import Ledger
from grader.engines.watchdog import Watchdog
from grader.errors import InfraError
from grader.images import archive

from . import cases
from .benches import TOKEN, Bench, on


@on("seam")
def test_a_container_ends_with_its_exit_code_and_both_streams(bench: Bench) -> None:
    sandbox = bench.ended(cases.FAILS)
    state = sandbox.state()
    assert (state.running, state.exit_code, state.oom) == (False, 3, False)
    assert set(sandbox.log().split()) == {"out", "err"}


@on("seam")
def test_a_container_killed_for_memory_says_so(bench: Bench) -> None:
    state = bench.ended(cases.EATS_MEMORY, memory_mib=64).state()
    assert (state.exit_code, state.oom) == (137, True)


@on("seam")
def test_a_process_killed_for_memory_is_known_while_the_others_live(bench: Bench) -> None:
    fed, plain = bench.start(cases.FEEDS_A_CHILD, memory_mib=64), bench.start(cases.RUNS, memory_mib=64)
    deadline = time.monotonic() + 20
    while not fed.starved() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert fed.starved()
    assert fed.state().running
    assert not plain.starved()


@on("seam")
def test_a_command_that_does_not_exist_is_the_student_s_affair(bench: Bench) -> None:
    state = bench.ended(cases.MISSING).state()
    assert (state.exit_code, state.oom) == (127, False)


@on("seam")
def test_waiting_ends_though_the_container_does_not(bench: Bench) -> None:
    sandbox = bench.start(cases.RUNS)
    started = time.monotonic()
    assert sandbox.wait(0.2).running
    assert time.monotonic() - started < 5
    assert sandbox.state().exit_code is None


@on("seam")
def test_a_signal_reaches_the_command_itself(bench: Bench) -> None:
    sandbox = bench.start(cases.ENDS_POLITELY, init=False)
    time.sleep(0.3)
    sandbox.signal("SIGTERM")
    assert sandbox.wait(10).exit_code == 7


@on("seam")
def test_a_signal_to_a_container_that_has_ended_is_quiet(bench: Bench) -> None:
    """A service may crash between two looks: that must not turn into trouble of the engine's."""
    sandbox = bench.ended(cases.FAILS)
    sandbox.signal("SIGTERM")
    assert sandbox.state().exit_code == 3


@on("seam")
def test_a_kill_ends_what_a_polite_signal_does_not(bench: Bench) -> None:
    sandbox = bench.start(cases.RUNS, init=False)
    sandbox.signal("SIGKILL")
    assert sandbox.wait(10).exit_code == 137


@on("seam")
def test_the_log_is_the_end_of_the_output_and_capped(bench: Bench) -> None:
    sandbox = bench.ended(cases.TALKS)
    assert len(sandbox.log()) <= 65536
    assert len(sandbox.log(100)) <= 100
    assert sandbox.log(100).endswith("end\n")


@on("seam")
def test_a_container_may_be_removed_twice_and_by_somebody_else(bench: Bench) -> None:
    sandbox = bench.start(cases.RUNS)
    bench.engine.remove("container", sandbox.name)
    sandbox.remove()
    sandbox.remove()
    bench.engine.remove("container", sandbox.id)
    with pytest.raises(InfraError):
        sandbox.state()


@on("seam")
def test_joining_the_network_of_a_container_that_has_ended_is_trouble(bench: Bench) -> None:
    ended = bench.ended(cases.FAILS)
    with pytest.raises(InfraError):
        bench.start(cases.RUNS, network=f"container:{ended.id}")


@on("seam")
def test_a_volume_may_be_removed_twice(bench: Bench) -> None:
    name = bench.name("volume")
    bench.made.append(("volume", name))
    bench.engine.runner.create_volume(name)
    bench.engine.runner.remove_volume(name)
    bench.engine.runner.remove_volume(name)
    bench.engine.remove("volume", name)


@on("seam")
def test_processes_carry_the_uids_of_the_container(bench: Bench) -> None:
    sandbox = bench.start(cases.RUNS, user=f"{cases.UID}:{cases.UID}", init=False)
    time.sleep(0.1)
    _, found = bench.engine.host.processes(sandbox)
    assert {(process.name, process.uids) for process in found} == {("sleep", (cases.UID,) * 3)}
    assert all(process.pid > 0 for process in found)


@on("seam")
def test_a_container_that_has_ended_has_no_processes(bench: Bench) -> None:
    assert bench.engine.host.processes(bench.ended(cases.FAILS))[1] == ()


@on("seam")
def test_cpu_time_grows_with_work(bench: Bench) -> None:
    sandbox = bench.start(cases.BUSY)
    way, before = bench.engine.host.cpu_seconds(sandbox)
    time.sleep(0.5)
    again, after = bench.engine.host.cpu_seconds(sandbox)
    assert way == again
    assert 0.05 < after - before < 2


@on("seam")
def test_a_build_gives_an_image_with_its_configuration(bench: Bench) -> None:
    heard: list[str] = []
    built = bench.build(cases.LAYERS, cases.FILES, heard)
    assert (built.problem, built.step) == (None, None)
    info = bench.engine.images.find(built.image or "")
    assert info is not None
    assert info.id == built.image
    assert (info.user, info.command, info.ports) == ("1000:1000", ("python", "-V"), ("8000/tcp",))
    assert len(info.diff_ids) == len(bench.base.diff_ids) + len(cases.OWN_LAYERS)
    assert set(built.heads) <= set(heard)
    assert len(built.heads) == 1


@pytest.mark.parametrize(("text", "limits", "problem", "step"), cases.BUILDS.values(), ids=cases.BUILDS)
@on("seam")
def test_a_build_that_fails_is_a_value_with_its_step(
    bench: Bench, text: str, limits: dict[str, float], problem: str, step: int | None
) -> None:
    started = time.monotonic()
    built = bench.build(text, **limits)
    assert (built.image, built.problem, built.step) == (None, problem, step)
    assert len(built.log) <= 1024 * 1024
    assert time.monotonic() - started < 15


@on("kernel")
def test_a_build_does_not_pay_for_what_others_write(bench: Bench) -> None:
    beside = Path(bench.engine.builder._data_root) / f"grader-test-{TOKEN}"  # type: ignore[attr-defined]
    writer = threading.Timer(1, beside.write_bytes, [b"x" * (200 * 1024 * 1024)])
    writer.start()
    try:
        built = bench.build("RUN head -c 50000000 /dev/zero > /big; sleep 5\n", build_disk_mib=100)
    finally:
        writer.join()
        beside.unlink()
    assert built.problem is None


@on("kernel")
@pytest.mark.parametrize("cached", [False, True], ids=["on its own layer", "on a cached one"])
@pytest.mark.parametrize("interrupted", [False, True], ids=["past its deadline", "by Ctrl-C"])
def test_a_build_that_is_left_while_its_layer_is_stored_leaves_nothing(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool, cached: bool
) -> None:
    dogs: list[Watchdog] = []

    class Caught(Watchdog):
        def start(self) -> None:
            dogs.append(self)
            super().start()

    def leave() -> None:
        deadline = time.monotonic() + 60
        while not ended(bench, "/ended") and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)  # the engine has begun to store it
        if interrupted:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            dogs.pop().end("timeout")

    first = f"RUN echo {secrets.token_hex(4)}\n"
    if cached:
        bench.build(f"{first}RUN true\n")
    before = bench.unnamed_images()
    monkeypatch.setattr("grader.engines.build.Watchdog", Caught)
    text = f"{first}RUN head -c 600000000 /dev/zero > /big; touch /ended\nRUN true\n"
    leaving = threading.Thread(target=leave)
    with Ledger(tmp_path / "active", "left") as ledger, Owned(bench.engine, ledger) as owned:
        request = bench.request(f"{owned.name('image')}:run", text)
        leaving.start()
        with pytest.raises(KeyboardInterrupt) if interrupted else nullcontext():
            assert owned.build(request).problem == "timeout"
        leaving.join()
    time.sleep(4)  # by then an engine that was not waited for has stored the layer
    assert bench.unnamed_images() == before


@on("kernel")
def test_what_was_stored_from_a_container_is_found_by_it(bench: Bench) -> None:
    before = bench.unnamed_images()
    built = bench.build(f"RUN echo {secrets.token_hex(4)}\nRUN true\n")
    inspect = bench.engine._api.inspect_image  # type: ignore[attr-defined]
    made = {inspect(layer)["Container"]: layer for layer in bench.unnamed_images() - before}
    assert made
    for container, layer in made.items():
        assert bench.engine.images.stored_from({container}) == (layer,)  # type: ignore[attr-defined]
    named = inspect(built.image)["Container"]
    assert bench.engine.images.stored_from({named}) == bench.engine.images.stored_from(set()) == ()  # type: ignore[attr-defined]


def ended(bench: Bench, word: str) -> bool:
    """Whether a container with this word in its command has ended, and is there still."""
    rows = bench.engine._api.containers(all=True)  # type: ignore[attr-defined]
    return any(row["Status"].startswith("Exited") and word in row["Command"] for row in rows)


@on("seam")
def test_what_a_failing_build_printed_is_kept(bench: Bench) -> None:
    built = bench.build(cases.FAILING)
    assert "so far so good" in built.log
    assert "exit 3" in built.message


@on("seam")
def test_layers_are_told_apart_from_the_base_s_and_named_rightly(bench: Bench) -> None:
    built = bench.layered()
    layers = bench.engine.images.layers(built.image or "", bench.base.id)
    own = [layer for layer in layers if layer.own]
    assert tuple(layer.diff_id for layer in layers[: -len(own)]) == bench.base.diff_ids
    assert not any(layer.own for layer in layers[: -len(own)])
    assert len(own) == len(cases.OWN_LAYERS)
    for layer, words in zip(own, cases.OWN_LAYERS, strict=True):
        assert all(word in layer.created_by for word in words.split("|"))
    assert [layer.size for layer in own][:3] == [5, 0, 5]
    assert all(layer.created > 0 for layer in layers)
    assert not any(layer.own for layer in bench.engine.images.layers(bench.base.id, bench.base.id))


@on("seam")
def test_files_of_the_layers_include_those_deleted_later(bench: Bench) -> None:
    built = bench.layered()
    layers = bench.engine.images.layers(built.image or "", bench.base.id)
    _, files = bench.engine.host.layer_files(built.image or "", layers)
    below = len(bench.base.diff_ids)
    assert {(file.layer - below, file.path, file.size) for file in files} == cases.OWN_FILES


@on("seam")
def test_images_are_found_tagged_listed_and_removed(bench: Bench) -> None:
    built = bench.layered()
    images, prefix = bench.engine.images, f"grader-test-{TOKEN}/tags"
    tags = [f"{prefix}:one", f"{prefix}:two"]
    bench.made.extend(("image", tag) for tag in tags)
    for tag in tags:
        images.tag(built.image or "", tag)
    assert images.list(prefix) == tuple((tag, built.image) for tag in tags)
    images.remove(tags[0])
    images.remove(tags[0])
    assert images.find(tags[0]) is None
    assert images.find(tags[1]) is not None
    assert images.find(built.image or "") is not None
    assert images.list(prefix) == ((tags[1], built.image),)
    bench.engine.remove("image", tags[1])
    assert images.list(prefix) == ()


@on("seam")
def test_an_image_goes_with_its_last_name(bench: Bench) -> None:
    tag, identity = load(bench)
    assert bench.engine.images.list(tag) == ((tag, identity),)
    assert bench.engine.images.find(identity) is not None
    bench.engine.images.remove(tag)
    assert bench.engine.images.find(identity) is None
    bench.engine.images.remove(identity)


def load(bench: Bench) -> tuple[str, str]:
    """A tiny image from an archive: its tag and its id."""
    tag = f"grader-test-{TOKEN}/loaded:1"
    bench.made.append(("image", tag))
    layer = bench.folder / "layer.tar"
    with layer.open("wb") as file:
        archive.write_tree(file, {"token": TOKEN.encode()})
    layers = [archive.layer_tar(layer, "made for a test")]
    config = archive.image_config(layers, {}, ["true"], "x86_64")
    with io.BytesIO() as target:
        archive.write_archive(target, layers, config, [tag])
        target.seek(0)
        bench.engine.images.load(target)
    return tag, archive.image_id(config)


@on("seam")
def test_the_engine_s_clock_is_the_one_that_stamps_layers(bench: Bench) -> None:
    before = bench.engine.now()
    assert abs(before - time.time()) < 60
    time.sleep(0.05)
    assert bench.engine.now() > before


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket")  # docker-py forgets sockets that do not connect
@on("seam")
def test_an_engine_that_is_gone_is_never_the_student_s_fault(bench: Bench) -> None:
    engine, cut = bench.line()
    sandbox = replace(bench, engine=engine).start(cases.RUNS, stdin=True)
    layers = engine.images.layers(bench.base.id, bench.base.id)
    channel = sandbox.attach()
    cut()
    calls: dict[str, Callable[[], object]] = {
        "state": sandbox.state,
        "wait": lambda: sandbox.wait(1),
        "signal": lambda: sandbox.signal("SIGTERM"),
        "log": sandbox.log,
        "attach": sandbox.attach,
        "remove": sandbox.remove,
        "receive": lambda: channel.receive(time.monotonic() + 1),
        "start": lambda: engine.runner.start(RunRequest(bench.base.id, bench.name("late"))),
        "create_volume": lambda: engine.runner.create_volume(bench.name("late")),
        "remove_volume": lambda: engine.runner.remove_volume(bench.name("late")),
        "find": lambda: engine.images.find(bench.base.id),
        "layers": lambda: engine.images.layers(bench.base.id, bench.base.id),
        "tag": lambda: engine.images.tag(bench.base.id, f"grader-test-{TOKEN}/late:1"),
        "untag": lambda: engine.images.remove(f"grader-test-{TOKEN}/late:1"),
        "list": lambda: engine.images.list("grader"),
        "load": lambda: engine.images.load(io.BytesIO(b"")),
        "processes": lambda: engine.host.processes(sandbox),
        "cpu_seconds": lambda: engine.host.cpu_seconds(sandbox),
        "layer_files": lambda: list(engine.host.layer_files(bench.base.id, layers)[1]),
        "now": engine.now,
        "engine.remove": lambda: engine.remove("container", sandbox.id),
        "build": lambda: replace(bench, engine=engine).build(cases.LAYERS),
    }
    quiet = [name for name, call in calls.items() if not fails(call)]
    channel.close()
    engine.close()
    gc.collect()
    assert quiet == []


def fails(call: Callable[[], object]) -> bool:
    """Whether the call raises `InfraError`; any other error fails the test."""
    try:
        call()
    except InfraError:
        return True
    return False
