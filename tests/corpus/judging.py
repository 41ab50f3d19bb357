"""The verdict on a verdict: whether the outcome is the expected one, and what else did not hold. U1 to U12."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import ValidationError

from grader.records import Report
from tests.corpus.grading import Graded
from tests.corpus.place import Place
from tests.corpus.views import view_faults

RSS_MIB, GROWTH_MIB, SLACK_SECONDS = 300, 64, 5
ENDINGS = {"graded": (0, 1), "rejected": (3,), "review": (5,), "infra": (4,)}


def outcome_faults(case: dict[str, Any], report: Report | None) -> list[str]:
    """How the report differs from what the case expects; more than the honest value is U2."""
    if report is None:
        return ["outcome: no report"]
    expect = case["expect"]
    faults: list[str] = []
    if report.run_class not in expect["classes"]:
        faults.append(f"outcome: class {report.run_class}, not {' | '.join(expect['classes'])}")
    rule = rule_of(report)
    if expect["rules"] and rule not in expect["rules"]:
        faults.append(f"outcome: rule {rule}, not {' | '.join(expect['rules'])}")
    faults += score_faults(case, report)
    points = {item.id: item.points for item in report.items}
    for item, wanted in expect["items"].items():
        got = points.get(item.lower(), 0.0)  # the ids of a lab are in lower case
        if abs(got - wanted) > 1e-6:
            faults.append(f"outcome: {item} {got:g}, not {wanted:g}")
    return faults


def rule_of(report: Report) -> str | None:
    """The rule that the submission broke, or that a file did which its program left: the first one that is told."""
    if report.rejection:
        return report.rejection.rule
    return next((str(item.facts["rule"]) for item in report.items if item.cause == "rejected"), None)


def score_faults(case: dict[str, Any], report: Report) -> list[str]:
    score, wanted = report.score, case["expect"]["score"]
    if report.run_class == "UNSUPPORTED":
        return [] if score is None else ["outcome: a score although a person has to look"]
    if score is None:
        return ["outcome: no score"]
    faults = [f"U2: {score:g} points for a content worth {case['honest']}"] if score > case["honest"] else []
    if "exact" in wanted and score != wanted["exact"]:
        faults.append(f"outcome: {score:g} points, not {wanted['exact']}")
    if "max" in wanted and score > wanted["max"]:
        faults.append(f"outcome: {score:g} points, more than {wanted['max']}")
    return faults


def report_of(graded: Graded) -> tuple[Report | None, list[str]]:
    """The one report of a run; U4: exactly one, of its schema, its hash on record."""
    if len(graded.reports) != 1:
        return None, [f"U4: {len(graded.reports)} reports"]
    (path,) = graded.reports
    try:
        report = Report.model_validate_json(path.read_bytes())
    except ValidationError as error:
        return None, [f"U4: {error.errors()[0]['msg']}"]
    faults = []
    evidence = path.with_name("evidence.json")
    if evidence.exists():
        data = json.dumps(json.loads(evidence.read_text()), sort_keys=True).encode()
        if report.digests.evidence != "sha256:" + hashlib.sha256(data).hexdigest():
            faults.append("U4: the digest of the evidence")
    if report.status == "graded" and not report.provisional:
        recorded = [json.loads(entry.read_text())["sha256"] for entry in (graded.runs / ".index").glob("*.json")]
        if recorded != [hashlib.sha256(path.read_bytes()).hexdigest()]:
            faults.append("U4: the hash of the report is not on record")
    return report, faults


def run_faults(case: dict[str, Any], graded: Graded, report: Report | None, place: Place) -> list[str]:
    """U1, U3, U7 to U10 and U12, and the numbers that the case itself asks for."""
    faults = [f"U1: {event}" for event in place.touched()]
    if graded.seconds > case["bound"] + SLACK_SECONDS:
        faults.append(f"U3: {graded.seconds:.1f} s, bound {case['bound']} s")
    faults += [f"U7: {fault}" for fault in view_faults(graded)] if report else []
    faults += [f"U8: the token of the {name} in {where}" for name, where in tokens_shown(graded, place)]
    faults += [f"U9: {graded.peak_mib:.0f} MiB resident"] if graded.peak_mib > RSS_MIB else []
    faults += [f"U10: {hit}" for hit in place.hits]
    text = graded.stdout + graded.stderr
    faults += ["U12: a traceback"] if b"Traceback (most recent call last)" in text else []
    wanted = ENDINGS[report.status] if report else ()
    faults += [f"U12: exit code {graded.code}"] if graded.code not in wanted else []
    faults += [f"executed: {line}" for line in graded.executed]
    asked = {kind for kind, _ in graded.trace.made} - {"folder"}
    if report and report.status == "rejected" and asked:
        faults.append(f"rejected, and yet the engine was asked for: {', '.join(sorted(asked))}")
    return faults


def also_faults(case: dict[str, Any], graded: Graded, gone: dict[str, float]) -> list[str]:
    """The numbers that a case asks for beside its verdict."""
    trace = graded.trace
    measured = {
        "written_mib": trace.written_mib,
        "members": trace.members,
        "log_mib": trace.log_mib,
        "data_root_mib": trace.data_root_mib,
        "processes_gone_seconds": gone.get("processes", float("inf")),
    }
    over = {name: most for name, most in case["expect"]["also"].items() if measured[name] > most}
    return [f"{name}: {measured[name]:.1f}, more than {most:g}" for name, most in over.items()]


def tokens_shown(graded: Graded, place: Place) -> list[tuple[str, str]]:
    """Where a token stands among all that was shown or stored: what nobody may get at is in no evidence either."""
    texts = {"standard output": graded.stdout, "standard error": graded.stderr}
    for path in graded.runs.glob("*/*/*"):
        if path.is_file():
            texts[path.name] = path.read_bytes()
    tokens = {name: token.encode() for name, token in place.tokens.items()}
    return [(name, where) for where, text in texts.items() for name, token in tokens.items() if token in text]


def growth_fault(growth_mib: float) -> list[str]:
    return [f"U9: the engine's data grew by {growth_mib:.0f} MiB"] if growth_mib > GROWTH_MIB else []
