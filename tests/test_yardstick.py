"""A yardstick that says something wrong: every right answer of a student would then be marked wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.cli.session import Settings
from grader.cli.site import make_kit
from grader.engines.docker import connect
from grader.engines.owned import Owned
from grader.engines.reaper import Ledger
from grader.probes.inputs import bodies, read_pool
from grader.probes.models import place_model
from grader.probes.rig import Rig
from grader.records import Limits, Service
from tests.test_common_models import answers

ROOT = Path(__file__).resolve().parents[1]
COMMON = ROOT / "labs" / "common"


@pytest.mark.engine
def test_the_yardstick_answers_what_the_model_says(tmp_path: Path) -> None:
    """Over the whole way: driver, helper, handed-over sockets, service; against the model run in this process."""
    asked = bodies(read_pool(COMMON / "digits.safetensors"), 50, 3, "yardstick")
    engine = connect()
    kit = make_kit(engine, Settings(ROOT, tmp_path / "runs", ROOT / ".cache"), lambda message: None)
    folder = place_model(COMMON / "models" / "fast.onnx", tmp_path / "model", 0).parent
    with Ledger(tmp_path / "active", "run") as ledger, Owned(engine, ledger) as owned:
        rig = Rig(owned, kit, Service(), Limits())
        said: list[Any] = rig.ask(rig.start_yardstick(folder), asked)
        rig.close()
    engine.close()
    images = np.array([json.loads(body)["pixels"] for body in asked], dtype=np.uint8).reshape(-1, 28, 28)
    labels, probabilities = answers("fast", images)
    assert [answer["json"]["label"] for answer in said] == labels.tolist()
    assert np.abs(np.array([answer["json"]["probabilities"] for answer in said]) - probabilities).max() < 1e-5
    assert len(set(labels.tolist())) > 5
