"""The files of a work folder: torn, edited, shared, on a full disk. Never half written, never overwritten unread."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench import files
from workbench.session import Session

Begin = Callable[..., Session]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"lab": "02-onnx",\n "measures": {', "stops being JSON at line 2"),
        (b"", "stops being JSON at line 1"),
        (b"\xff\xfe{}", "not JSON in UTF-8"),
        (b'{"notes": {"a": NaN}}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1, 2]", "changed by hand"),
        (b'{"measures": [1]}', "`measures` must be a table"),
        (b'{"notes": null}', "`notes` must be a table"),
        (b'{"lab": "03-quantization"}', "belongs to lab 03-quantization"),
        (b'{"lab": 7}', "belongs to lab 7"),
    ],
)
def test_a_torn_or_edited_file_is_named_and_left_as_it_is(begin: Begin, out: Path, content: bytes, said: str) -> None:
    begin()
    (out / "results.json").write_bytes(content)
    calls: list[int] = []
    for act in (lambda: wb.note("a", 1), lambda: wb.measure({"f": lambda: calls.append(1)}, id="a")):
        with pytest.raises(wb.WorkbenchError, match=rf"results\.json.*{said}|{said}.*results\.json"):
            act()
    assert (out / "results.json").read_bytes() == content
    assert calls == [], "measured for minutes what could not be kept"
    assert os.listdir(out) == ["results.json"]


def test_a_file_saved_by_an_editor_with_a_byte_order_mark_is_read(begin: Begin, out: Path) -> None:
    begin()
    (out / "results.json").write_bytes(b"\xef\xbb\xbf" + b'{"notes": {"b": 2}}')
    wb.note("a", 1)
    assert json.loads((out / "results.json").read_text(encoding="utf-8"))["notes"] == {"a": 1, "b": 2}


def test_a_folder_or_a_pipe_under_the_name_is_said(begin: Begin, out: Path) -> None:
    begin()
    (out / "results.json").mkdir()
    with pytest.raises(wb.WorkbenchError, match="not a file"):
        wb.note("a", 1)
    os.mkfifo(out / "answers.json")
    with pytest.raises(wb.WorkbenchError, match="not a file"):
        wb.bet("L02.B1", 1, "x", 50)


def test_a_folder_that_has_gone_meanwhile_is_said(begin: Begin, out: Path) -> None:
    begin()
    out.rmdir()
    with pytest.raises(wb.WorkbenchError, match="does not exist"):
        wb.note("a", 1)


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "cannot be read or written")]
)
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_trouble_while_writing_leaves_the_old_file_whole(
    begin: Begin, out: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str, step: str
) -> None:
    begin()
    wb.note("a", 1)
    before = (out / "results.json").read_bytes()

    def fail(*arguments: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(files.os, step, fail)
        with pytest.raises(wb.WorkbenchError, match=said):
            wb.note("a", 2)
    assert (out / "results.json").read_bytes() == before
    assert os.listdir(out) == ["results.json"]


def test_it_is_flushed_to_the_disk_before_it_gets_its_name(
    begin: Begin, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin()
    order: list[str] = []
    for step in ("fsync", "replace"):
        real = getattr(os, step)
        monkeypatch.setattr(files.os, step, lambda *given, real=real, step=step: (order.append(step), real(*given))[1])
    wb.note("a", 1)
    assert order == ["fsync", "replace", "fsync"], "the file, its name, the folder that holds the name"


def test_what_a_killed_kernel_left_half_written_is_swept_away(begin: Begin, out: Path) -> None:
    begin()
    (out / ".results.json.0badcafe.tmp").write_text('{"lab": ')
    wb.note("a", 1)
    assert os.listdir(out) == ["results.json"]


def test_four_kernels_on_one_folder_lose_nothing(begin: Begin, out: Path) -> None:
    code = (
        "import workbench as wb, sys\n"
        "wb.begin(lab='02-onnx', out_dir=sys.argv[1])\n"
        "for at in range(25): wb.note(f'{sys.argv[2]}-{at}', at)\n"
    )
    kernels = [
        subprocess.Popen([sys.executable, "-c", code, str(out), str(name)], stdout=subprocess.DEVNULL)
        for name in range(4)
    ]
    assert [kernel.wait(60) for kernel in kernels] == [0] * 4
    notes = json.loads((out / "results.json").read_text(encoding="utf-8"))["notes"]
    assert set(notes) == {f"{name}-{at}" for name in range(4) for at in range(25)}
    assert os.listdir(out) == ["results.json"]


def test_a_kernel_that_never_lets_go_is_named(begin: Begin, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    begin()
    monkeypatch.setattr(files, "_PATIENCE", 0.2)
    handle = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(wb.WorkbenchError, match="another notebook on the same folder"):
            wb.note("a", 1)
    finally:
        os.close(handle)
    wb.note("a", 1)


def test_a_kernel_that_is_slow_is_waited_for(begin: Begin, out: Path) -> None:
    import fcntl

    begin()
    handle = os.open(out, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    letting_go = threading.Thread(target=lambda: (time.sleep(0.3), os.close(handle)))
    letting_go.start()
    wb.note("a", 1)
    letting_go.join()
    assert (out / "results.json").is_file()


def test_a_network_folder_without_locks_is_written_all_the_same(
    begin: Begin, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def no_locks(*given: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    begin()
    monkeypatch.setattr(fcntl, "flock", no_locks)
    wb.note("a", 1)
    assert (out / "results.json").is_file()


def test_text_that_is_no_unicode_is_written_and_read_again(begin: Begin, out: Path) -> None:
    begin()
    wb.note("a", "caf\udce9")
    wb.note("b", 1)
    assert json.loads((out / "results.json").read_text(encoding="utf-8"))["notes"] == {"a": "caf\udce9", "b": 1}
