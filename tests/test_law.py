"""A lab whose checks miss their fault, or punish honest work: every specimen graded on the real engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.engine
@pytest.mark.law
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("lab", ["05", "03", "02", "01"])  # the longest first
def test_the_law_of_the_lab_holds(lab: str) -> None:
    command = [sys.executable, "-c", "from grader.cli import main; main()", "lab", "test", lab, "--lang", "en"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    matrix = json.loads(next((ROOT / "runs").glob(f"{lab}-*/law/matrix.json")).read_text())
    assert matrix["state"] == "held"
    assert matrix["only"] is None
