"""nbval over an executed notebook: it runs again, and the cells that print stable facts must print them again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.notebooks.course import ROOT

SANITIZE = Path(__file__).with_name("sanitize.cfg")
CELL_SECONDS = 120  # nbval's own 2,000 hide a cell that hangs


def validate(notebook: Path) -> int:
    """How many cells nbval looked at; an `AssertionError` with its report where one failed."""
    empty = notebook.with_name("pytest.ini")
    empty.write_text("[pytest]\n", encoding="utf-8")
    command = [
        sys.executable, "-m", "pytest", "-q", "-c", str(empty), "--rootdir", str(notebook.parent), "-p",
        "no:cacheprovider", "--nbval-lax", "--nbval-sanitize-with", str(SANITIZE), "--nbval-cell-timeout",
        str(CELL_SECONDS), "--nbval-current-env", str(notebook),
    ]  # fmt: skip
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(notebook.parent), "GRADER_HOME": str(ROOT)}
    done = subprocess.run(
        command, cwd=notebook.parent, env=environ, capture_output=True, text=True, timeout=900, check=False
    )
    passed = re.search(r"(\d+) passed", done.stdout)
    assert done.returncode == 0 and passed, done.stdout[-4000:] + done.stderr[-2000:]
    return int(passed[1])
