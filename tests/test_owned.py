"""Something of a run that stays on the engine because it could not be written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.engines.base import BuildRequest, Built, OnImage
from grader.engines.fake import FakeEngine
from grader.engines.owned import Owned
from grader.engines.reaper import Kind, Ledger
from grader.engines.table import Table
from grader.errors import InfraError
from grader.records import Limits


class Full(Ledger):
    """A ledger on a disk that has no room for one kind of row."""

    refused: Kind = "build"

    def intend(self, kind: Kind, name: str) -> None:
        if kind == self.refused:
            raise InfraError("disk_full", path="resources.jsonl")
        super().intend(kind, name)


class Chatty:
    """A builder that makes one image and says so."""

    def build(self, request: BuildRequest, on_image: OnImage) -> Built:
        on_image("0123456789ab", True)
        return Built(None, None, "", None, "", ())


def test_an_image_without_a_row_is_removed_all_the_same(tmp_path: Path) -> None:
    engine = FakeEngine(Table())
    engine.builder = Chatty()
    request = BuildRequest(tmp_path / "context.tar", "Dockerfile", "tag:run", Limits(), False)
    with Full(tmp_path / "active", "run") as ledger, pytest.raises(InfraError), Owned(engine, ledger) as owned:
        owned.build(request)
    assert ("remove build", "0123456789ab") in engine.did
