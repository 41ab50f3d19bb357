"""An engine made of a table, on which everything goes well until a test changes the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..stand import Stand, good


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return good(tmp_path)
