"""The part that always answers: it starts the part that holds the model, and says how that one ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ANSWER_BYTES = (1 << 20) - 4096
MESSAGE = 300
# One thread each: a model may not have more of the machine than the one that it is compared with.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main() -> None:
    """Answer the one request on standard input."""
    line = sys.stdin.buffer.readline()
    sys.stdout.buffer.write(answered(line) + b"\n")
    sys.stdout.buffer.flush()


def answered(line: bytes) -> bytes:
    """The answer as one strict JSON line, whatever the model does."""
    try:
        request = json.loads(line)
        seconds = float(request.get("seconds") or 0) or None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return trouble("protocol", "the request is not a JSON object")
    command = [sys.executable, "-I", "-B", str(Path(__file__).resolve().parent), "inside"]
    try:
        done = subprocess.run(
            command, input=line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds,
            env={**os.environ, **_ENVIRONMENT}, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return trouble("timeout", "")
    if done.returncode < 0:
        number = -done.returncode
        return trouble("memory" if number == signal.SIGKILL else "error", f"signal {number}")
    if done.returncode or not _is_answer(done.stdout):
        return trouble("error", f"exit {done.returncode}")
    if len(done.stdout) > ANSWER_BYTES:
        return trouble("shape", "the outputs are too large")
    return done.stdout.strip()


def trouble(problem: str, message: str) -> bytes:
    """The answer where no model could give one."""
    return json.dumps(empty() | {"problem": problem, "message": message[:MESSAGE]}).encode()


def empty() -> dict[str, Any]:
    return {"problem": None, "message": "", "batches": [], "flags": [], "threads": 1}


def _is_answer(raw: bytes) -> bool:
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and answer.keys() == empty().keys()
