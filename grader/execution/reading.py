"""What a notebook file is, read as data in a child process with limits: never run, never converted.

The child answers one small row a cell, so that a hostile file costs a process and not the grader.
"""

from __future__ import annotations

import hashlib
import json
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from grader.errors import InfraError

MIB = 1024 * 1024
FILE_BYTES = 20 * MIB
CELLS, OUTPUTS, TAGS, NAME = 2000, 20_000, 20, 80
CPU_SECONDS, WALL_SECONDS = 10, 30
MEMORY_BYTES = 768 * MIB
_KERNEL = re.compile(r"\S.{0,199}", re.DOTALL)
# Isolated from the user's environment, and without site-packages: only the package itself can be imported.
_START = "import sys; sys.path.insert(0, sys.argv[1]); from grader.execution.reading import main; main()"
_PACKAGE = Path(__file__).resolve().parents[2]

Trouble = Literal["not_a_notebook", "old_format", "no_kernel"]
Row = dict[str, Any]


class Unreadable(Exception):
    """The file is not a notebook that can be run: which problem, and the facts of its sentence."""

    def __init__(self, problem: Trouble, **facts: Any) -> None:
        super().__init__(problem)
        self.problem = problem
        self.facts = facts


def read_notebook(path: Path, *, runnable: bool) -> list[Row]:
    """The code cells of the notebook that are not empty: {index, digest, count, error, status, tags}.

    Raises `Unreadable`. With `runnable` it also has to name a Python kernel.
    """
    command = [sys.executable, "-I", "-S", "-B", "-c", _START, str(_PACKAGE), str(int(runnable))]
    try:
        with open(path, "rb") as file:
            done = subprocess.run(command, stdin=file, capture_output=True, timeout=WALL_SECONDS, env={}, check=False)
    except subprocess.TimeoutExpired:
        raise Unreadable("not_a_notebook", where="size") from None
    if done.returncode < 0:
        raise Unreadable("not_a_notebook", where="size")
    if done.returncode:
        raise InfraError("notebook_reader", detail=done.stderr.decode("utf-8", "replace")[-300:])
    answer = json.loads(done.stdout)
    if "problem" in answer:
        raise Unreadable(answer["problem"], **answer["facts"])
    rows: list[Row] = answer["cells"]
    return rows


def main() -> None:
    """In the child: limit ourselves, read standard input, print one JSON object."""
    for limit, value in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    answer: Row
    try:
        answer = {"cells": rows_of(sys.stdin.buffer.read(FILE_BYTES + 1), runnable=sys.argv[2] == "1")}
    except Unreadable as error:
        answer = {"problem": error.problem, "facts": error.facts}
    except (MemoryError, RecursionError):
        answer = {"problem": "not_a_notebook", "facts": {"where": "size"}}
    sys.stdout.write(json.dumps(answer))


def rows_of(data: bytes, *, runnable: bool) -> list[Row]:
    """One row for each code cell that is not empty."""
    if len(data) > FILE_BYTES:
        raise Unreadable("not_a_notebook", where="size")
    try:
        book = json.loads(data)
    except ValueError:
        raise Unreadable("not_a_notebook", where="JSON") from None
    if not isinstance(book, dict) or not isinstance(book.get("nbformat"), int):
        raise Unreadable("not_a_notebook", where="nbformat")
    if book["nbformat"] != 4:
        raise Unreadable("old_format", nbformat=book["nbformat"])
    cells, metadata = book.get("cells"), book.get("metadata")
    if not isinstance(cells, list) or len(cells) > CELLS:
        raise Unreadable("not_a_notebook", where="cells")
    if not isinstance(metadata, dict):
        raise Unreadable("not_a_notebook", where="metadata")
    read = [_row(index, cell) for index, cell in enumerate(cells)]
    if sum(row["outputs"] for row in read) > OUTPUTS:
        raise Unreadable("not_a_notebook", where="outputs")
    if runnable:
        _require_kernel(metadata)
    return [{key: value for key, value in row.items() if key != "outputs"} for row in read if row["digest"]]


def _require_kernel(metadata: Row) -> None:
    """A kernel is named, and it speaks Python; which one is ours to choose."""
    spec = metadata.get("kernelspec")
    spec = spec if isinstance(spec, dict) else {}
    name = spec.get("name")
    if not isinstance(name, str) or not _KERNEL.fullmatch(name.strip()):
        raise Unreadable("no_kernel", kernel="-")
    about = metadata.get("language_info")
    languages = [spec.get("language"), about.get("name") if isinstance(about, dict) else None]
    for language in languages:
        if isinstance(language, str) and language and not language.lower().startswith(("python", "ipython")):
            raise Unreadable("no_kernel", kernel=_shown(language))


def _row(index: int, cell: Any) -> Row:
    """What is known of one cell; `digest` None unless it is code to be run."""
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
        raise Unreadable("not_a_notebook", where=f"cell {index + 1}")
    source, metadata = cell.get("source"), cell.get("metadata", {})
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or not isinstance(metadata, dict):
        raise Unreadable("not_a_notebook", where=f"cell {index + 1}")
    outputs = cell.get("outputs", [])
    if cell["cell_type"] == "code" and not isinstance(outputs, list):
        raise Unreadable("not_a_notebook", where=f"cell {index + 1}")
    code = cell["cell_type"] == "code" and source.strip()
    count = cell.get("execution_count")
    own = metadata.get("papermill")
    own = own if isinstance(own, dict) else {}
    return {
        "index": index,
        "digest": hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest() if code else None,
        "count": count if isinstance(count, int) and not isinstance(count, bool) and 0 < count < 1 << 31 else None,
        "error": _error(outputs) if code else None,
        "failed": own.get("exception") is True or own.get("status") in ("failed", "running"),
        "tags": _tags(metadata.get("tags")),
        "outputs": len(outputs) if isinstance(outputs, list) else 0,
    }


def _error(outputs: list[Any]) -> str | None:
    """The name of the first error among the outputs."""
    for output in outputs:
        if isinstance(output, dict) and output.get("output_type") == "error":
            return _shown(output.get("ename")) or "Error"
    return None


def _tags(found: Any) -> list[str]:
    return [_shown(tag) for tag in found if isinstance(tag, str)][:TAGS] if isinstance(found, list) else []


def _shown(value: Any) -> str:
    """A short text that can be stored: a lone surrogate or an endless name is not."""
    return str(value)[:NAME].encode("utf-8", "replace").decode() if isinstance(value, str) else ""
