"""Files that students made, looked at as data by our own readers in a child process with limits; none is loaded."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from grader.errors import InfraError

Format = Literal["onnx", "safetensors", "json", "skops", "text", "any"]
WALL_SECONDS = 60
STANDARD_DOMAINS = ("ai.onnx", "ai.onnx.ml")
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG}
# Isolated from the user's environment, and without site-packages: only the package itself can be imported.
_START = "import sys; sys.path.insert(0, sys.argv[1]); from grader.artifacts.child import main; main()"
_PACKAGE = Path(__file__).resolve().parents[2]


def scan(path: Path, form: Format, domains: Iterable[str] = STANDARD_DOMAINS) -> dict[str, Any]:
    """What the file at `path` is, without loading it; never raises for what a student may have put there.

    `file`: {path (the name alone), size, sha256, gzip_size (of `gzip.compress(data)`), problem, facts}. `problem` is
    None, or "missing", "link", "format", "too_large" (also: too costly to read), "external", "domain", "nodes",
    "depth", "data", "metadata", "training"; then `facts` say which part broke the rule and the sections below are
    absent. Where nothing is wrong with an ONNX file, `facts.external` names the files beside it that hold its data.

    `pickles`: where pickle streams begin, as `@OFFSET` or `MEMBER@OFFSET`, at most 20. By format also:

    - `graph` (onnx): {ir, opsets {domain: version}, producer, metadata, functions, inputs, outputs: [{name, dtype,
      shape: [int | str | None] or None}], nodes: [{op, domain, inputs, outputs, attributes (single numbers and
      words), depth}] (first 5,000; node_count: all), initializers: [{name, dtype, shape, bytes, zeros, external:
      None | {location, offset, length}, where, values (of at most 16), commonest: [value, count] (8 bits)}]}. The
      default domain is "ai.onnx". `initializers` holds every tensor of the file: `where` is "initializer",
      "constant" (a node's; it has the name of the node's output), "attribute" (a long list of numbers) or "inner".
    - `tensors` (safetensors): {metadata, tensors: [{name, dtype ("F32", as the file says), shape, begin, end, zeros}],
      contiguous, header_bytes}
    - `skops`: {types, loaders, protocol, members}; `json`: the value; `text`: the text.

    `domains` are those that nodes may come from; a lab about portability lets more in. Raises `InfraError` only for
    what is our fault.
    """
    facts: dict[str, Any] = {"path": path.name, "size": 0, "sha256": None, "gzip_size": None}
    try:
        handle = os.open(path, _OPEN)
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise InfraError("artifact_reader", detail=str(error.strerror)) from error
        problem = "link" if error.errno == errno.ELOOP else "missing"
        return {"file": {**facts, "problem": problem, "facts": {}}, "pickles": []}
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return {"file": {**facts, "problem": "missing", "facts": {}}, "pickles": []}
        found = _in_a_child(handle, path.parent, form, tuple(domains))
    finally:
        os.close(handle)
    found["file"] = {**facts, **found["file"]}
    return found


def _in_a_child(handle: int, folder: Path, form: Format, domains: tuple[str, ...]) -> dict[str, Any]:
    beside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    asked = json.dumps({"format": form, "domains": domains})
    command = [sys.executable, "-I", "-S", "-B", "-c", _START, str(_PACKAGE), str(beside), asked]
    try:
        done = subprocess.run(
            command, stdin=handle, capture_output=True, pass_fds=(beside,), timeout=WALL_SECONDS, env={}, check=False
        )
    except subprocess.TimeoutExpired:
        return _too_costly(handle)
    finally:
        os.close(beside)
    if done.returncode < 0:
        return _too_costly(handle)
    if done.returncode:
        raise InfraError("artifact_reader", detail=done.stderr.decode("utf-8", "replace")[-300:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _too_costly(handle: int) -> dict[str, Any]:
    facts = {"detail": "time"}
    return {"file": {"size": os.fstat(handle).st_size, "problem": "too_large", "facts": facts}, "pickles": []}
