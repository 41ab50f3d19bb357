"""What is read beside the engine: the wrong cgroup, the wrong uid or a forgotten file would judge the wrong thing."""

from __future__ import annotations

import io
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.engines import host
from grader.engines.base import Layer
from grader.engines.docker import connect
from grader.engines.host import (
    cgroup_cpu,
    cgroup_folder,
    cgroup_pids,
    inside,
    overlay_files,
    read_archive,
    read_process,
)
from grader.engines.image_store import solid_entries
from grader.errors import InfraError

from ..conformance import cases
from ..conformance.benches import Bench, on

ID = "c0ffee" * 10 + "beef"
TABLES = {
    "v1": f"12:pids:/docker/{ID}\n4:cpu,cpuacct:/docker/{ID}\n1:name=systemd:/docker/{ID}\n",
    "hybrid": f"12:pids:/docker/{ID}\n4:cpu,cpuacct:/docker/{ID}\n0::/system.slice/docker-{ID}.scope\n",
    "v2": f"0::/system.slice/docker-{ID}.scope\n",
    "of another container": "12:pids:/docker/other\n0::/docker/other\n",
    "of the host": "12:pids:/\n0::/init.scope\n",
}


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(host, "CGROUP_ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("joint", ["cpu,cpuacct", "cpuacct"])
@pytest.mark.parametrize("kind", ["v1", "hybrid"])
def test_a_controller_s_own_folder_is_found(mounts: Path, kind: str, joint: str) -> None:
    (mounts / "pids").mkdir()
    (mounts / joint).mkdir()
    (mounts / "unified").mkdir()
    assert cgroup_folder(TABLES[kind], "pids", ID) == mounts / "pids" / "docker" / ID
    assert cgroup_folder(TABLES[kind], "cpuacct", ID) == mounts / joint / "docker" / ID


def test_the_one_folder_of_the_new_kind_is_found(mounts: Path) -> None:
    (mounts / "cgroup.controllers").touch()
    expected = mounts / "system.slice" / f"docker-{ID}.scope"
    assert cgroup_folder(TABLES["v2"], "pids", ID) == cgroup_folder(TABLES["v2"], "cpuacct", ID) == expected


@pytest.mark.parametrize("kind", ["v2", "of another container", "of the host"])
def test_no_folder_rather_than_the_wrong_one(mounts: Path, kind: str) -> None:
    (mounts / "pids").mkdir()
    assert cgroup_folder(TABLES[kind], "pids", ID) is None


def test_a_controller_that_is_not_mounted_has_no_folder(mounts: Path) -> None:
    assert cgroup_folder(TABLES["v1"], "pids", ID) is None


def test_processes_of_groups_below_count_too(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "cgroup.procs").write_text("7\n")
    (tmp_path / "a" / "cgroup.procs").write_text("")
    (tmp_path / "a" / "b" / "cgroup.procs").write_text("9\n8\n")
    assert cgroup_pids(tmp_path) == [7, 8, 9]
    assert cgroup_pids(tmp_path / "nowhere") == []


def test_cpu_time_of_both_kinds_is_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    assert cgroup_cpu(tmp_path) == 2.5
    (tmp_path / "cpuacct.usage").write_text("1500000000\n")
    assert cgroup_cpu(tmp_path) == 1.5


@pytest.mark.parametrize(
    ("uid", "mapping", "seen"),
    [
        (0, [(0, 0, 4294967295)], 0),
        (1000, [(0, 0, 4294967295)], 1000),
        (100000, [(0, 100000, 65536)], 0),
        (165535, [(0, 100000, 65536)], 65535),
        (165536, [(0, 100000, 65536)], 65534),
        (0, [(0, 100000, 65536)], 65534),
        (1000, [(0, 1000, 1), (1, 100000, 65536)], 0),
        (100000, [(0, 1000, 1), (1, 100000, 65536)], 1),
        (5, [], 65534),
    ],
)
def test_a_uid_is_seen_as_the_container_sees_it(uid: int, mapping: list[tuple[int, ...]], seen: int) -> None:
    assert inside(uid, mapping) == seen


def test_a_process_is_read_and_one_that_is_gone_is_none() -> None:
    found = read_process(os.getpid())
    assert found is not None
    assert found.uids == os.getresuid()
    assert read_process(2**22 + 1) is None


def entry(created_by: str, size: int = 0) -> dict[str, Any]:
    return {"CreatedBy": created_by, "Size": size}


def test_history_is_matched_to_layers_where_the_engine_knows_the_depths() -> None:
    """An instruction that changed nothing stands beside one that added an empty file: sizes tell nothing."""
    base, env = entry("base", 9), entry("/bin/sh -c #(nop)  ENV a=b")
    empty, nothing = entry("/bin/sh -c #(nop) COPY file:1 in /empty"), entry("/bin/sh -c true")
    history = [base, env, nothing, empty, nothing]
    assert solid_entries(history, [1, 1, 1, 2, 2]) == [base, empty]


def test_history_is_guessed_where_the_engine_does_not() -> None:
    base, env = entry("base", 9), entry("/bin/sh -c #(nop)  ENV a=b")
    copy, empty = entry("COPY a b", 5), entry("/bin/sh -c #(nop) COPY file:1 in /empty")
    assert solid_entries([base, env, copy, empty], [None, None, None, 3]) == [base, copy, empty]
    assert solid_entries([base, env, copy], [None, 1, 2]) == [base, copy]


def tar(**files: bytes | tarfile.TarInfo) -> bytes:
    with io.BytesIO() as target:
        with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as made:
            for name, content in files.items():
                member = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
                if isinstance(content, bytes):
                    member.size = len(content)
                made.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
        return target.getvalue()


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_an_exported_layer_that_equals_another_is_read_through_its_link() -> None:
    layer = tar(a=b"12345")
    archive = tar(
        **{
            "one/layer.tar": layer,
            "two/layer.tar": link("two/layer.tar", "../one/layer.tar", tarfile.SYMTYPE),
            "manifest.json": b'[{"Layers": ["one/layer.tar", "two/layer.tar"]}]',
        }
    )
    names, files = read_archive(io.BytesIO(archive), 10)
    assert [[(file.path, file.size) for file in files[name]] for name in names] == [[("a", 5)], [("a", 5)]]


def test_an_exported_layer_shows_files_and_hard_links_but_no_marks_of_deletion() -> None:
    layer = tar(
        **{
            "app/a": b"123", "app/.wh.b": b"", ".wh..wh..opq": b"", "x/site-packages/c": b"1",
            "app/hard": link("app/hard", "app/a", tarfile.LNKTYPE), "app/soft": link("app/soft", "a", tarfile.SYMTYPE),
            "app/pipe": link("app/pipe", "", tarfile.FIFOTYPE),
        }
    )  # fmt: skip
    archive = tar(
        **{"blobs/sha256/1": layer, "blobs/sha256/2": b"{}", "manifest.json": b'[{"Layers": ["blobs/sha256/1"]}]'}
    )
    names, files = read_archive(io.BytesIO(archive), 10)
    assert [(file.path, file.size) for file in files[names[0]]] == [("app/a", 3), ("app/hard", 3)]


def test_an_exported_name_of_any_bytes_can_be_written_down() -> None:
    layer = tar(**{"srv/\udcff\udcfe.pkl": b"1"})
    archive = tar(**{"one/layer.tar": layer, "manifest.json": b'[{"Layers": ["one/layer.tar"]}]'})
    names, files = read_archive(io.BytesIO(archive), 10)
    assert [file.path for file in files[names[0]]] == ["srv/\ufffd\ufffd.pkl"]


def test_an_export_of_too_many_members_is_given_up() -> None:
    with pytest.raises(InfraError):
        read_archive(io.BytesIO(tar(**{f"{n}/layer.tar": b"" for n in range(30)})), 10)


def test_layer_folders_are_walked_without_following_links(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own / "app", own / "lib" / "site-packages", other):
        folder.mkdir(parents=True)
    (own / "app" / "a").write_bytes(b"123")
    (own / "lib" / "site-packages" / "b").write_bytes(b"1")
    (other / "secret").write_bytes(b"1")
    (own / "out").symlink_to(other)
    (own / "app" / "soft").symlink_to(other / "secret")
    os.mkfifo(own / "app" / "pipe")
    layers = tuple(Layer("", 0, 0, "", is_own) for is_own in (False, True))
    assert [(f.layer, f.path, f.size) for f in overlay_files([other, own], layers)] == [(1, "app/a", 3)]


def test_a_flood_of_files_ends_at_the_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MAX_FILES", 5)
    for number in range(9):
        (tmp_path / str(number)).touch()
    assert len(list(overlay_files([tmp_path], (Layer("", 0, 0, "", True),)))) == 5


def test_opens_are_counted_though_nobody_reads_meanwhile(tmp_path: Path) -> None:
    """Equal events in a row are merged by the kernel while they wait."""
    (tmp_path / "m").touch()
    watch = host.InotifyWatch(tmp_path, "m")
    try:
        for _ in range(100):
            (tmp_path / "m").read_bytes()
        assert watch.opens() == 100
    finally:
        watch.close()


def test_a_folder_that_cannot_be_watched_is_said(tmp_path: Path) -> None:
    with pytest.raises(InfraError) as caught:
        host.InotifyWatch(tmp_path / "nowhere", "m")
    assert caught.value.code == "inotify_failed"


def until(so: Callable[[], bool]) -> None:
    """Wait for what a container does in its own time."""
    deadline = time.monotonic() + 60
    while not so() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert so()


@on("kernel")
def test_the_portable_ways_see_what_the_direct_ones_see(bench: Bench) -> None:
    built = bench.layered()
    layers = bench.engine.images.layers(built.image or "", bench.base.id)
    portable = connect(direct=False)
    try:
        sandbox = bench.start(cases.BUSY, user="12345:12345", init=False)
        until(lambda: bench.engine.host.cpu_seconds(sandbox)[1] > 0.05)
        way, found = portable.host.processes(sandbox)
        assert (way, {(p.name, p.uids) for p in found}) == ("top", {("sh", (12345,) * 3)})
        assert {p.pid for p in found} == {p.pid for p in bench.engine.host.processes(sandbox)[1]}

        way, seconds = portable.host.cpu_seconds(sandbox)
        assert (way, seconds > 0.05) == ("stats", True)
        assert abs(bench.engine.host.cpu_seconds(sandbox)[1] - seconds) < 1

        assert portable.host.watch(bench.folder, "m") is None

        way, files = portable.host.layer_files(built.image or "", layers)
        direct, expected = bench.engine.host.layer_files(built.image or "", layers)
        assert (way, direct) == ("export", "overlay")
        assert sorted(map(repr, files)) == sorted(map(repr, expected))
    finally:
        portable.close()


@on("kernel")
def test_names_of_any_bytes_can_be_written_down(bench: Bench) -> None:
    """A service may name its processes and files in bytes that are no text: the evidence must still be stored."""
    built = bench.build("RUN touch \"$(printf '/srv/\\377\\376.pkl')\"\n")
    layers = bench.engine.images.layers(built.image or "", bench.base.id)
    portable = connect(direct=False)
    name = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'\\xff\\x0bUid:\\t7', 0, 0, 0); time.sleep(60)"
    try:
        sandbox = bench.start(("python", "-c", name), user="12345", init=False)
        until(lambda: any("Uid" in process.name for process in bench.engine.host.processes(sandbox)[1]))
        for engine in (bench.engine, portable):
            (process,) = engine.host.processes(sandbox)[1]
            assert process.uids == (12345,) * 3
            process.name.encode()
        (file,) = bench.engine.host.layer_files(built.image or "", layers)[1]
        assert file.path == "srv/\ufffd\ufffd.pkl"
    finally:
        portable.close()
