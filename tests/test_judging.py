"""A verdict that blames the wrong side: a zero for our bug, or points for a measurement that never happened."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from grader.errors import LabError
from grader.judging import judge
from grader.lab import load_lab
from grader.records import Evidence, Lab, Verdict

LABS = Path(__file__).parent / "fixtures" / "labs"
HEAD = "from __future__ import annotations\nfrom grader.checks import Fail, Remark, Skip, check\n"


def _evidence(engine: str | None = "docker 20", **sections: Any) -> Evidence:
    good: dict[str, Any] = {
        "build": {"result": {"ok": True}},
        "normal": {
            "ready": {"ok": True},
            "processes": [{"name": "python", "uids": [1000, 1000, 1000]}],
            "answers": {"asked": [{"json": {"label": 7}, "expected": 7}, {"json": {"label": 1}, "expected": 1}]},
        },
    }
    return Evidence(lab="90-tiny", sections=good | sections, engine=engine, seed=7)


def _outcomes(verdicts: tuple[Verdict, ...]) -> dict[str, tuple[str, str | None]]:
    return {verdict.item: (verdict.outcome, verdict.cause) for verdict in verdicts}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LABS / "90-tiny", tmp_path / "90-tiny"))


def _one(copy: Path, body: str) -> Verdict:
    """The verdict of `build` when its check has this body."""
    (copy / "checks.py").write_text(f'{HEAD}\n@check("build")\ndef build(evidence):\n    {body}\n', encoding="utf-8")
    return judge(load_lab(copy), _evidence(), only="build")[0]


@pytest.fixture
def tiny() -> Lab:
    return load_lab(LABS / "90-tiny")


def test_good_work_passes_everything_in_the_order_of_the_rubric(tiny: Lab) -> None:
    verdicts = judge(tiny, _evidence())
    assert [(verdict.item, verdict.outcome, verdict.share) for verdict in verdicts] == [
        ("build", "passed", 1), ("nonroot", "passed", 1), ("answers", "passed", 1),
    ]  # fmt: skip


def test_one_fault_costs_one_item_and_blocks_what_needs_it(tiny: Lab) -> None:
    verdicts = judge(tiny, _evidence(build={"result": {"ok": False, "facts": {"path": "app"}}}))
    assert _outcomes(verdicts) == {
        "build": ("failed", "copy_missing"),
        "nonroot": ("blocked", "blocked"),
        "answers": ("blocked", "blocked"),
    }
    assert verdicts[0].facts == {"path": "app"}
    assert verdicts[2].facts == {"item": "build"}, (
        "the student is sent to the first fault, not to the next blocked item"
    )


def test_a_share_is_partial_and_does_not_block(tiny: Lab) -> None:
    asked = {"asked": [{"json": {"label": 7}, "expected": 7}, {"json": {"label": 3}, "expected": 1}]}
    normal = {"ready": {"ok": True}, "processes": [], "answers": asked}
    verdict = judge(tiny, _evidence(normal=normal))[2]
    assert (verdict.outcome, verdict.share, verdict.cause) == ("partial", 0.5, "wrong")


def test_without_an_engine_nothing_is_a_zero(tiny: Lab) -> None:
    verdicts = judge(tiny, Evidence(lab="90-tiny", seed=1, engine=None))
    assert _outcomes(verdicts) == {
        "build": ("skipped", "no_engine"),
        "nonroot": ("skipped", "need_skipped"),
        "answers": ("skipped", "need_skipped"),
    }


@pytest.mark.parametrize("normal", [{"ready": {"ok": False, "problem": "exited"}}, None])
def test_a_service_that_did_not_start_fails_what_needs_it_running(tiny: Lab, normal: dict[str, Any] | None) -> None:
    sections: dict[str, Any] = {"normal": normal} if normal else {"normal": {}, "other": {"ready": {"ok": False}}}
    assert _outcomes(judge(tiny, _evidence(**sections)))["nonroot"] == ("failed", "did_not_start")


def test_an_image_that_did_not_build_is_not_our_trouble(copy: Path) -> None:
    text = (copy / "lab.toml").read_text(encoding="utf-8").replace('needs = ["build"]\n', "")
    (copy / "lab.toml").write_text(text, encoding="utf-8")
    failed = {"ok": False, "facts": {"path": "app"}}
    assert _outcomes(judge(load_lab(copy), _evidence(build={"result": failed}, normal={})))["nonroot"] == (
        "failed",
        "not_built",
    )


def test_a_measurement_that_we_lost_is_ours(tiny: Lab) -> None:
    verdict = judge(tiny, _evidence(normal={"ready": {"ok": True}}))[1]
    assert (verdict.outcome, verdict.cause) == ("error", "unmeasured")
    assert verdict.facts == {"section": "normal", "probe": "processes"}


def test_a_broken_check_is_ours_and_tells_no_text_of_the_submission(tiny: Lab) -> None:
    normal = {"ready": {"ok": True}, "processes": [{"the student's own secret": 1}], "answers": {"asked": []}}
    verdict = judge(tiny, _evidence(normal=normal))[1]
    assert (verdict.outcome, verdict.cause, verdict.facts) == ("error", "check_broken", {"exception": "KeyError"})


@pytest.mark.parametrize(
    ("body", "outcome", "share"),
    [
        ("return None", "passed", 1.0),
        ("return 0.25", "partial", 0.25),
        ("return 7", "passed", 1.0),
        ("return -1.0", "failed", 0.0),
        ("return float('inf')", "passed", 1.0),
        ("return float('nan')", "error", 0.0),
        ("return True", "error", 0.0),
        ("return '1'", "error", 0.0),
        ("return Remark('lazy')", "passed", 1.0),
        ("return Remark('slow', share=0.5)", "partial", 0.5),
        ("return Remark('slow', share=float('nan'))", "error", 0.0),
        ("raise Fail('x', share=0.5)", "partial", 0.5),
        ("raise Fail('x', share=-3)", "failed", 0.0),
        ("raise Fail('x', share=float('nan'))", "error", 0.0),
        ("raise Fail('x', when=object())", "error", 0.0),
        ("raise Fail('x', ratio=float('nan'))", "error", 0.0),
        ("raise Skip('no_vnni')", "skipped", 0.0),
        ("raise RecursionError", "error", 0.0),
    ],
)
def test_each_answer_of_a_check_has_one_meaning(copy: Path, body: str, outcome: str, share: float) -> None:
    verdict = _one(copy, body)
    assert (verdict.outcome, verdict.share) == (outcome, share)


def test_the_hidden_items_of_a_student_s_copy_are_skipped(copy: Path) -> None:
    shutil.rmtree(copy / "private")
    assert _outcomes(judge(load_lab(copy), _evidence()))["answers"] == ("skipped", "hidden")


def test_an_item_without_a_check_is_ours(copy: Path) -> None:
    (copy / "private" / "checks.py").write_text("", encoding="utf-8")
    assert _outcomes(judge(load_lab(copy), _evidence()))["answers"] == ("error", "check_missing")


def test_only_one_item_is_judged_with_what_it_needs(tiny: Lab) -> None:
    assert [verdict.item for verdict in judge(tiny, _evidence(), only="nonroot")] == ["build", "nonroot"]
    with pytest.raises(LabError) as caught:
        judge(tiny, _evidence(), only="nonrot")
    assert caught.value.facts["near"] == "nonroot"


def test_a_rubric_that_names_a_need_later_is_judged_all_the_same(copy: Path) -> None:
    head, build, *rest = (copy / "lab.toml").read_text(encoding="utf-8").split("[[item]]")
    (copy / "lab.toml").write_text("[[item]]".join([head, *rest, build]), encoding="utf-8")
    assert [verdict.item for verdict in judge(load_lab(copy), _evidence())] == ["nonroot", "answers", "build"]


def test_two_labs_do_not_meet_and_nothing_is_left_behind(tiny: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = set(sys.modules), list(sys.path)
    assert judge(load_lab(LABS / "91-other"), _evidence())[0].share == 0.5
    assert judge(tiny, _evidence())[0].share == 1.0
    assert (set(sys.modules), list(sys.path)) == before
    assert not list(LABS.rglob("__pycache__"))


def test_checks_that_were_edited_a_moment_ago_are_the_ones_that_judge(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert [_one(copy, "return 0.1").share, _one(copy, "return 0.9").share] == [0.1, 0.9]


def test_checks_may_use_dataclasses(copy: Path) -> None:
    top = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Pair:\n    a: int\n"
    (copy / "checks.py").write_text(f'{HEAD}{top}\n@check("build")\ndef build(evidence):\n    return Pair(1).a\n')
    assert judge(load_lab(copy), _evidence(), only="build")[0].outcome == "passed"


def test_checks_that_do_not_load_or_judge_twice_are_the_lab_s_fault(copy: Path) -> None:
    shutil.copy(copy / "checks.py", copy / "private" / "checks.py")
    with pytest.raises(LabError) as caught:
        judge(load_lab(copy), _evidence())
    assert caught.value.code == "lab_check_twice"
    (copy / "checks.py").write_text("import no_such_thing", encoding="utf-8")
    with pytest.raises(LabError) as caught:
        judge(load_lab(copy), _evidence())
    assert caught.value.code == "lab_checks_fail"
