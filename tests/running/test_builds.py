"""A build that fails or grows past a ceiling: the run ends with its class, and a rebuild compares what it should."""

from __future__ import annotations

from typing import Any

import pytest

from grader.engines.base import BuildRequest, Built, OnImage
from grader.records import Limits, Plan
from grader.running import MIB

from ..stand import BASE, DOCKERFILE, NOTHING, STUDENT, Stand, picture


@pytest.mark.parametrize(
    ("problem", "run_class"),
    [
        ("failed", "BUILD_FAIL"), ("refused", "BUILD_FAIL"), ("timeout", "BUILD_TIMEOUT"), ("memory", "BUILD_LIMIT"),
        ("output", "BUILD_LIMIT"), ("disk", "BUILD_LIMIT"),
    ],
)  # fmt: skip
def test_a_failed_build_ends_the_run_with_its_class(stand: Stand, problem: str, run_class: str) -> None:
    stand.table.builds[DOCKERFILE] = [Built(None, problem, "no", 2, "log")]
    evidence = stand.run()
    assert evidence.run_class == run_class
    assert list(evidence.sections) == ["submission", "build"]
    result = evidence.sections["build"]["result"]
    assert (result["ok"], result["line"], result["log"]) == (False, 5, "log")
    assert stand.apps() == []
    assert stand.left() == NOTHING


TOO_MUCH: dict[str, dict[str, Any]] = {
    "bytes": {"size": 1100 * MIB},
    "layers": {"diff_ids": ("sha256:0",) * 101},
    "volumes": {"volumes": tuple(f"/{n}" for n in range(9))},
    "ports": {"ports": tuple(f"{n}/tcp" for n in range(33))},
}


@pytest.mark.parametrize("ceiling", TOO_MUCH)
def test_an_image_past_a_ceiling_is_a_build_past_its_limit(stand: Stand, ceiling: str) -> None:
    stand.table.builds[DOCKERFILE] = [picture(STUDENT, **TOO_MUCH[ceiling])]
    evidence = stand.run()
    assert (evidence.run_class, evidence.sections["build"]["result"]["problem"]) == ("BUILD_LIMIT", "size")
    assert stand.apps() == []
    assert stand.left() == NOTHING


def test_the_size_of_the_base_is_not_the_student_s(stand: Stand) -> None:
    stand.table.images[BASE] = picture(BASE, own=0, size=2000 * MIB)
    stand.table.builds[DOCKERFILE] = [picture(STUDENT, size=2500 * MIB)]
    assert stand.run().run_class == "GRADED"


def test_a_rebuild_compares_the_layers_of_both_builds(stand: Stand) -> None:
    stand.starts = {}
    stand.rebuild = "main.py"
    second = picture("sha256:" + "2" * 64, own=2)
    touched = DOCKERFILE
    stand.table.builds[touched] = [picture(STUDENT, own=2), second]
    result = stand.run().sections["rebuild"]["result"]
    assert (result["ok"], result["touched"], len(result["before"]), len(result["after"])) == (True, "main.py", 2, 2)
    assert stand.engine.started == []
    assert stand.left() == NOTHING


def test_a_rebuild_that_fails_leaves_the_rest_standing(stand: Stand) -> None:
    stand.rebuild = "main.py"
    stand.table.builds[DOCKERFILE] = [picture(STUDENT), Built(None, "timeout", "", 2, "")]
    evidence = stand.run()
    assert evidence.run_class == "GRADED"
    assert evidence.sections["rebuild"]["result"] == {"ok": False, "problem": "timeout", "touched": "main.py"}
    assert evidence.sections["init_off"]["stop"]["answered"] is True


def test_an_exam_still_shows_what_the_layer_cache_would_keep(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the first build's own layers, every exam would fail the item that looks at them."""
    stand.starts, stand.rebuild = {}, "main.py"
    stand.table.builds[DOCKERFILE] = [picture(STUDENT), picture("sha256:" + "2" * 64)]
    asked: list[bool] = []
    build = stand.engine.builder.build

    def noted(request: BuildRequest, on_image: OnImage) -> Built:
        asked.append(request.no_cache)
        return build(request, on_image)

    monkeypatch.setattr(stand.engine.builder, "build", noted)
    plan = stand.plan()
    assert plan.build is not None
    stand.run(plan.model_copy(update={"build": plan.build.model_copy(update={"no_cache": True})}))
    assert asked == [True, False]


def test_without_anything_to_build_nothing_runs(stand: Stand) -> None:
    evidence = stand.run(Plan(lab="05", problem="no_dockerfile", limits=Limits(), seed=7, digest=""))
    assert evidence.run_class == "BUILD_FAIL"
    assert evidence.sections["build"]["result"]["problem"] == "no_dockerfile"
    assert stand.engine.did == []
