"""What runs in the child process: it limits itself, then looks at the file on its standard input."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import resource
import stat
import sys
from collections.abc import Iterable
from typing import Any

from grader.artifacts import packed, strict, weights
from grader.artifacts.graph import Model
from grader.artifacts.pickles import Finder
from grader.artifacts.refused import Refused, shown

MIB = 1 << 20
FILE_BYTES = 50 * MIB
TEXT_BYTES = MIB
ANSWER_BYTES = 8 * MIB
SIBLINGS = 8
CPU_SECONDS = 30
MEMORY_BYTES = 1024 * MIB
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def main() -> None:
    """Print one JSON object; the arguments are a descriptor of the file's folder and, as JSON, what to look for."""
    for limit, value in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    asked = json.loads(sys.argv[3])
    with open(sys.stdin.fileno(), "rb", closefd=False) as file:
        found = examine(file.read(FILE_BYTES + 1), int(sys.argv[2]), asked["format"], asked["domains"])
    sys.stdout.write(json.dumps(found, allow_nan=False))


def examine(data: bytes, beside: int, form: str, domains: Iterable[str]) -> dict[str, Any]:
    """Every section that the file of this format gives; `file.problem` says why one is missing."""
    found: dict[str, Any] = {"file": {"size": len(data), "problem": None, "facts": {}}}
    file = found["file"]
    try:
        if len(data) > FILE_BYTES:
            raise Refused("too_large", limit=FILE_BYTES)
        file["sha256"] = hashlib.sha256(data).hexdigest()
        file["gzip_size"] = len(gzip.compress(data, mtime=0))
        finder = Finder()
        finder.look(data)
        found["pickles"] = finder.found
        found |= _sections(data, beside, form, tuple(domains), file)
        if len(json.dumps(found)) > ANSWER_BYTES:
            raise Refused("nodes", limit=ANSWER_BYTES)
    except Refused as error:
        return _refused(found, error)
    except (MemoryError, RecursionError):
        return _refused(found, Refused("too_large", detail="memory"))
    return found


def _sections(data: bytes, beside: int, form: str, domains: tuple[str, ...], file: dict[str, Any]) -> dict[str, Any]:
    if form == "onnx":
        model = Model(data, Siblings(beside).read, domains)
        graph = model.read()
        file["facts"] = {"external": model.external}
        return {"graph": graph}
    if form == "safetensors":
        return {"tensors": weights.read(data)}
    if form == "skops":
        return {"skops": packed.read(data)}
    if form == "json":
        try:
            return {"json": strict.load(data)}
        except (ValueError, RecursionError) as error:
            raise Refused("format", detail=shown(str(error))) from None
    if form == "text":
        return {"text": _text(data)}
    return {}


def _refused(found: dict[str, Any], error: Refused) -> dict[str, Any]:
    file = {**found["file"], "problem": error.problem, "facts": error.facts}
    return {"file": file, "pickles": found.get("pickles", [])}


def _text(data: bytes) -> str:
    if len(data) > TEXT_BYTES:
        raise Refused("too_large", limit=TEXT_BYTES)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("format", detail="utf-8") from None


class Siblings:
    """The plain files of one folder, each read once; a link, a pipe or a missing file is a refusal."""

    def __init__(self, folder: int) -> None:
        self._folder = folder
        self._read: dict[str, memoryview] = {}

    def read(self, name: str) -> memoryview:
        if name not in self._read:
            self._read[name] = self._open(name)
        return self._read[name]

    def _open(self, name: str) -> memoryview:
        try:
            handle = os.open(name, _OPEN, dir_fd=self._folder)
        except OSError:
            raise Refused("external", location=shown(name), detail="missing") from None
        try:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > FILE_BYTES or len(self._read) >= SIBLINGS:
                raise Refused("external", location=shown(name), detail="file")
            with open(handle, "rb", closefd=False) as file:
                return memoryview(file.read(FILE_BYTES))
        finally:
            os.close(handle)
