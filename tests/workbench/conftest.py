"""A session in a folder of its own, and a stand-in for the grader: a real process whose answer a test chooses."""

from __future__ import annotations

import json
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import workbench
from workbench.session import Session, close_session, current

STAND_IN = """
import json, os, pathlib, subprocess, sys, time
here = pathlib.Path(__file__).parent
(here / "seen.json").write_text(json.dumps({
    "argv": sys.argv[1:], "cwd": os.getcwd(), "home": os.environ.get("GRADER_HOME"), "pid": os.getpid(),
    "colour": [os.environ.get("FORCE_COLOR"), os.environ.get("NO_COLOR")],
}))
plan = json.loads((here / "plan.json").read_text())
if plan.get("child"):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (here / "child").write_text(str(child.pid))
if plan.get("stubborn"):
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (here / "deaf").write_text("")
time.sleep(plan.get("sleep", 0))
sys.stdout.buffer.write(plan.get("out", "").encode("utf-8", "surrogateescape"))
sys.stderr.write(plan.get("err", ""))
sys.exit(plan.get("code", 0))
"""


class StandIn:
    """The command of a grader that answers as told, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "grader.py").write_text(STAND_IN, encoding="utf-8")
        self.command = [sys.executable, str(folder / "grader.py")]

    def answers(self, report: Any = None, **plan: Any) -> None:
        if report is not None:
            plan["out"] = json.dumps(report)
        (self.folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")

    @property
    def seen(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "seen.json").read_text(encoding="utf-8")))


VOID = {"img", "br"}


class Page(HTMLParser):
    """Tags, their attributes, and all text; fails where tags are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def read_page() -> type[Page]:
    return Page


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    folder = tmp_path / "stand-in"
    folder.mkdir()
    return StandIn(folder)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A work folder outside every checkout."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def nothing_begun(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("GRADER_HOME", raising=False)
    monkeypatch.delenv("GRADER_WORKROOM", raising=False)
    close_session()
    yield
    close_session()


@pytest.fixture
def begin(out: Path) -> Callable[..., Session]:
    """`workbench.begin` for lab 02 in `out`; gives the session."""

    def begun(**changes: Any) -> Session:
        workbench.begin(**({"lab": "02-onnx", "out_dir": out} | changes))
        return current()

    return begun


@pytest.fixture
def png() -> bytes:
    """One grey pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")
