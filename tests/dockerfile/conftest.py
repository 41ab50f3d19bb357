"""Submissions made of a few texts, staged as the grader stages them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from grader.records import Staged, Submission
from grader.staging import stage

Make = Callable[..., Staged]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Stage a submission with this Dockerfile and these other files."""

    def staged(dockerfile: str | bytes | None = None, files: dict[str, str | bytes] | None = None) -> Staged:
        source = tmp_path / "in"
        texts = dict(files or {}) | ({} if dockerfile is None else {"Dockerfile": dockerfile})
        source.mkdir()
        for name, text in texts.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return stage(Submission(source=str(source)), tmp_path / "out")

    return staged
