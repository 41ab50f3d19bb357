"""Evidence -> Verdicts: run the lab's checks, on the host, over data only."""

from __future__ import annotations

import json
import math
from pathlib import Path

from grader.checks import Check, Fail, Remark, Skip
from grader.errors import LabError
from grader.lab import asked_items
from grader.modules import marked
from grader.outcomes import refusal
from grader.records import Evidence, Item, Json, Lab, Outcome, Unmeasured, Verdict


def judge(lab: Lab, evidence: Evidence, only: str | None = None, exercise: str | None = None) -> tuple[Verdict, ...]:
    """One verdict an item, in the rubric's order; with `only` or `exercise`, those items and what they need."""
    asked = asked_items(lab, only, exercise)
    checks = _load_checks(lab)
    items = {item.id: item for item in lab.items}
    verdicts: dict[str, Verdict] = {}

    def settle(item: Item) -> None:
        for need in item.needs:
            if need not in verdicts:
                settle(items[need])
        verdicts[item.id] = _held_back(item, verdicts) or _judge_item(lab, item, checks.get(item.id), evidence)

    for item in lab.items:
        if item.id not in verdicts and (asked is None or item.id in asked):
            settle(item)
    return tuple(verdicts[item.id] for item in lab.items if item.id in verdicts)


def _held_back(item: Item, verdicts: dict[str, Verdict]) -> Verdict | None:
    """Why the item is not judged, naming the first of the chain; a failed need weighs more than a skipped one."""
    needs = [verdicts[need] for need in item.needs]
    for need in needs:
        if need.outcome in ("failed", "blocked", "error"):
            root = need.facts["item"] if need.outcome == "blocked" else need.item
            return Verdict(item=item.id, outcome="blocked", share=0, cause="blocked", facts={"item": root})
    for need in needs:
        if need.outcome == "skipped":
            root = need.facts["item"] if need.cause == "need_skipped" else need.item
            return Verdict(item=item.id, outcome="skipped", share=0, cause="need_skipped", facts={"item": root})
    return None


def _judge_item(lab: Lab, item: Item, check: Check | None, evidence: Evidence) -> Verdict:
    if check is None:
        if item.visibility == "hidden" and not (Path(lab.root) / "private").is_dir():
            return Verdict(item=item.id, outcome="skipped", share=0, cause="hidden")
        return Verdict(item=item.id, outcome="error", share=0, cause="check_missing")
    try:
        return _verdict(item, check, evidence)
    except Unmeasured as missing:
        return _unmeasured(lab, item, missing, evidence)
    except Exception as error:  # a bug of a check is ours, whatever it is: no zero, and no text of the submission
        facts = {"exception": type(error).__name__}
        return Verdict(item=item.id, outcome="error", share=0, cause="check_broken", facts=facts)


def _verdict(item: Item, check: Check, evidence: Evidence) -> Verdict:
    cause: str | None = None
    facts: dict[str, Json] = {}
    outcome: Outcome
    try:
        answer = check(evidence)
        if isinstance(answer, Remark):
            cause, facts, answer = answer.cause, answer.facts, answer.share
        share = 1.0 if answer is None else _share(answer)
        outcome = "passed" if share == 1 else "partial" if share > 0 else "failed"
    except Fail as failure:
        cause, facts, share = failure.cause, failure.facts, _share(failure.share)
        outcome = "partial" if share > 0 else "failed"
    except Skip as skip:
        cause, facts, share, outcome = skip.cause, skip.facts, 0.0, "skipped"
    facts = json.loads(json.dumps(facts, allow_nan=False))  # plain data only, and a copy of our own
    return Verdict(item=item.id, outcome=outcome, share=share, cause=cause, facts=facts)


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise TypeError("a check returns None, a share or a Remark")
    return min(1.0, max(0.0, float(value)))


def _unmeasured(lab: Lab, item: Item, missing: Unmeasured, evidence: Evidence) -> Verdict:
    """What a missing measurement means: nothing ran here, the student's work did not get that far, or we lost it."""
    facts: dict[str, Json] = {"section": missing.section, "probe": missing.probe}
    outcome: Outcome
    if refused := refusal(evidence.sections.get(missing.section, {})):
        outcome, (cause, facts) = "failed", refused
    elif evidence.engine is not None and _sealed(lab, missing.section):
        outcome, cause = "skipped", "hidden"
    elif missing.section == "submission":
        outcome, cause = "error", "unmeasured"
    elif _not_ok(evidence, "build", "result"):
        outcome, cause = "failed", "not_built"
    elif _did_not_start(evidence, missing.section):
        outcome, cause = "failed", "did_not_start"
    elif evidence.engine is None:
        outcome, cause = "skipped", "no_engine"
    else:
        outcome, cause = "error", "unmeasured"
    return Verdict(item=item.id, outcome=outcome, share=0, cause=cause, facts=facts)


def _sealed(lab: Lab, section: str) -> bool:
    """Whether what makes this section is part of the teacher's copy only."""
    return section in (*lab.executions, *lab.artifacts) and not (Path(lab.root) / "private").is_dir()


def _did_not_start(evidence: Evidence, section: str) -> bool:
    """This start failed, or it was never tried because another one failed."""
    if evidence.sections.get(section):
        return _not_ok(evidence, section, "ready")
    return any(_not_ok(evidence, other, "ready") for other in evidence.sections)


def _not_ok(evidence: Evidence, section: str, probe: str) -> bool:
    found = evidence.sections.get(section, {}).get(probe)
    return isinstance(found, dict) and found.get("ok") is False


def _load_checks(lab: Lab) -> dict[str, Check]:
    found: dict[str, Check] = {}
    for path in (Path(lab.root) / "checks.py", Path(lab.root) / "private" / "checks.py"):
        if path.is_file():
            for item, check in marked(path, "judges"):
                if item in found:
                    raise LabError("lab_check_twice", path=str(path), item=item)
                found[item] = check
    return found
