"""Zip and tar archives, unpacked by our own reader in a child process with limits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from grader.errors import InfraError, SubmissionError

WALL_SECONDS = 20
# Isolated from the user's environment, and without site-packages: only the package itself can be imported.
_START = "import sys; sys.path.insert(0, sys.argv[1]); from grader.archives.child import main; main()"
_PACKAGE = Path(__file__).resolve().parents[2]


def extract(archive: int, root: int) -> None:
    """Unpack the open file `archive` into the open folder `root`; raise what the child found wrong."""
    command = [sys.executable, "-I", "-S", "-B", "-c", _START, str(_PACKAGE), str(root)]
    try:
        done = subprocess.run(
            command, stdin=archive, capture_output=True, pass_fds=(root,), timeout=WALL_SECONDS, env={}, check=False
        )
    except subprocess.TimeoutExpired:
        raise SubmissionError("too_slow", stage="stage", seconds=WALL_SECONDS) from None
    if done.returncode < 0:
        raise SubmissionError("too_slow", stage="stage", seconds=WALL_SECONDS)
    if done.returncode:
        raise SubmissionError("corrupt", stage="stage", path="")
    outcome = json.loads(done.stdout)
    if outcome.get("code") == "staging_disk":
        raise InfraError("staging_disk", **outcome["facts"])
    if outcome:
        raise SubmissionError(outcome["code"], stage="stage", **outcome["facts"])
