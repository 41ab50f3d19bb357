"""A small checkout with one lab and one notebook that keeps every rule; tests break copies of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(HERE / "home", tmp_path / "home"))


@pytest.fixture
def source(home: Path) -> Path:
    return home / "notebooks" / "source" / "90-door.py"
