"""What a specimen got against what is expected of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from grader.records import Json, Lab, Outcome, Report, ReportItem
from grader.specimens.folders import Specimen
from grader.specimens.matrix import Finding

STARTER_SHARE = 0.1  # of all points: a student who hands in the starter has not begun
LAB_FAULTS = frozenset(["check_broken", "check_missing"])  # an error that the lab's author mends, not the operator


def compare(lab: Lab, specimen: Specimen, report: Report) -> tuple[Finding, ...]:
    """Every difference; none where the specimen got exactly what its author expects."""
    rejection = report.rejection
    if rejection is not None and not (specimen.kind == "starter" and report.status == "rejected"):
        code, state = ("law_rejected", "broken") if report.status == "rejected" else ("law_infra", "unproved")
        facts = {**rejection.facts, "rule": rejection.rule}
        return (Finding.model_validate({"code": code, "facts": facts, "state": state}),)
    found = [*_unassessed(report.items)]
    if specimen.kind == "starter":
        found += _starter(lab, report)
    else:
        if specimen.kind != "empty":
            found += _outcomes(lab, specimen, report.items)
            found += _words(specimen, report.items)
        if not found and specimen.expect.score is not None and report.score != specimen.expect.score:
            found.append(Finding(code="law_score", facts={"expected": specimen.expect.score, "got": report.score}))
    return tuple(found)


def unproved_items(lab: Lab, specimens: Iterable[Specimen]) -> tuple[Finding, ...]:
    """The items that no mutant fails, and a missing null submission: what the whole proof leaves open."""
    specimens = tuple(specimens)
    killed = {item for one in specimens if one.kind == "mutant" for item in (*one.expect.fails, *one.expect.partial)}
    gaps = [Finding(code="law_no_mutant", facts={"item": item.id}) for item in lab.items if item.id not in killed]
    if not any(one.kind == "null" for one in specimens):
        gaps.append(Finding(code="law_no_null"))
    return tuple(gaps)


def _unassessed(items: tuple[ReportItem, ...]) -> Iterator[Finding]:
    for item in items:
        if item.outcome == "error":
            why = item.facts.get("exception") or item.cause
            facts: dict[str, Json] = {"item": item.id, "got": item.outcome, "cause": why}
            yield Finding(code="law_error", facts=facts, state="broken" if item.cause in LAB_FAULTS else "unproved")
    skipped = [item for item in items if item.outcome == "skipped"]
    if skipped:
        facts = {"items": [item.id for item in skipped], "why": skipped[0].cause}
        yield Finding(code="law_skipped", facts=facts, state="unproved")


def _outcomes(lab: Lab, specimen: Specimen, items: tuple[ReportItem, ...]) -> Iterator[Finding]:
    allowed = _allowed(lab, specimen)
    for item in items:
        if item.outcome not in allowed[item.id] and item.outcome not in ("error", "skipped"):
            facts = {"item": item.id, "expected": allowed[item.id], "got": item.outcome, "cause": item.cause}
            yield Finding(code="law_outcome", facts=facts)


def _allowed(lab: Lab, specimen: Specimen) -> dict[str, list[Outcome]]:
    """Item -> the outcomes that it may have, the expected one first."""
    expect = specimen.expect
    waiting = _dependants(lab, expect.fails) | set(expect.blocked)
    rest: list[Outcome] = ["failed", "blocked"] if specimen.kind == "null" else ["passed"]
    allowed: dict[str, list[Outcome]] = {}
    for item in lab.items:
        wanted: list[Outcome] = ["failed"] if item.id in expect.fails else []
        if item.id in expect.partial:
            wanted.append("partial")
        if not wanted and item.id in waiting:
            # Where the item before it did not fail, that one is reported: this one then passes rightly.
            wanted = ["blocked", *rest]
        allowed[item.id] = wanted or (["passed"] if item.id in expect.earned else rest)
    return allowed


def _dependants(lab: Lab, failed: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    growing = True
    while growing:
        more = {item.id for item in lab.items if found.union(failed).intersection(item.needs)} - found
        growing = bool(more)
        found |= more
    return found


def _words(specimen: Specimen, items: tuple[ReportItem, ...]) -> Iterator[Finding]:
    """The cause of the failure and the remarks, where the specimen names them."""
    expect = specimen.expect
    first = (*expect.fails, *expect.partial)[:1]
    for item in items:
        remark = expect.remarks.get(item.id, item.cause)
        if remark != item.cause:
            yield Finding(code="law_remark", facts={"item": item.id, "expected": remark, "got": item.cause})
        lost = item.id in first and item.outcome in ("failed", "partial")
        if lost and expect.cause not in (None, item.cause):
            yield Finding(code="law_cause", facts={"item": item.id, "expected": expect.cause, "got": item.cause})


def _starter(lab: Lab, report: Report) -> Iterator[Finding]:
    most = round(lab.max_score * STARTER_SHARE, 2)
    if report.score is not None and report.score > most:
        earned = [item.id for item in report.items if item.points > 0]
        yield Finding(code="law_starter", facts={"most": most, "got": report.score, "items": earned})
