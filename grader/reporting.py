"""Verdicts -> Report: points, status, class and, last of all, sentences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TypedDict, Unpack

from grader import words
from grader.errors import GraderError, SubmissionError, Unsupported
from grader.records import (
    Digests,
    Evidence,
    Item,
    Json,
    Lab,
    Lang,
    Rejection,
    Report,
    ReportItem,
    ReportSubmission,
    RunClass,
    Staged,
    Status,
    Verdict,
)


class About(TypedDict):
    """What every report says of its run."""

    source: str
    grader: str
    engine: str | None
    seed: int
    seconds: dict[str, float]
    lang: Lang


def summarise(
    lab: Lab, staged: Staged | None, evidence: Evidence | None, verdicts: Iterable[Verdict], **about: Unpack[About]
) -> Report:
    """The report of a judged run: no score where we failed or hidden checks are absent; provisional where skipped."""
    by_item = {verdict.item: verdict for verdict in verdicts}
    items = tuple(_report_item(item, by_item.get(item.id)) for item in lab.items)
    ours = any(item.outcome == "error" for item in items)
    partial_copy = any(item.cause == "hidden" for item in items)  # a student's copy shows checks, never a total
    report = _report(lab, staged, evidence, **about).model_copy(
        update={
            "status": "infra" if ours else "graded",
            "run_class": "INFRA" if ours else evidence.run_class if evidence else "GRADED",
            "score": None if ours or partial_copy else round(sum(item.points for item in items), 2),
            "provisional": any(item.outcome == "skipped" for item in items),
            "items": items,
        }
    )
    return worded(report, lab, about["lang"])


def rejected(lab: Lab, staged: Staged | None, error: SubmissionError, **about: Unpack[About]) -> Report:
    """The report of a submission that breaks a named rule: 0, and what to change."""
    run_class: RunClass = "REJECT_STAGE" if error.stage == "stage" else "REJECT_POLICY"
    return _unjudged(_report(lab, staged, None, **about), "rejected", run_class, 0.0, error, about["lang"])


def review(lab: Lab, staged: Staged | None, error: Unsupported, **about: Unpack[About]) -> Report:
    """The report of an honest submission that a person has to look at."""
    return _unjudged(_report(lab, staged, None, **about), "review", "UNSUPPORTED", None, error, about["lang"])


def infra(lab: Lab, staged: Staged | None, error: GraderError, **about: Unpack[About]) -> Report:
    """The report of a run that failed through no fault of the student; `rejection` says what failed."""
    return _unjudged(_report(lab, staged, None, **about), "infra", "INFRA", None, error, about["lang"])


def worded(report: Report, lab: Lab, lang: Lang) -> Report:
    """The same report with its sentences and hints in `lang`."""
    items = tuple(_worded_item(item, lab, lang) for item in report.items)
    rejection = report.rejection
    if rejection is not None:
        message = words.say(rejection.rule, lang, rejection.facts)
        rejection = rejection.model_copy(update={"message": message})
    return report.model_copy(update={"items": items, "rejection": rejection})


def exit_code(report: Report) -> int:
    """What the command ends with: 0 nothing failed, 1 something failed, 3 rejected, 4 ours, 5 a person looks."""
    if report.status != "graded":
        return {"rejected": 3, "review": 5, "infra": 4}[report.status]
    return 1 if any(item.outcome in ("failed", "partial", "blocked") for item in report.items) else 0


def _report(lab: Lab, staged: Staged | None, evidence: Evidence | None, **about: Unpack[About]) -> Report:
    run_class: RunClass = "INFRA"  # until the caller knows better
    return Report(
        lab=lab.id,
        submission=ReportSubmission(source=about["source"], digest=staged.digest if staged else None),
        status="infra",
        run_class=run_class,  # type: ignore[call-arg]  # populate_by_name, which only pydantic's plugin knows
        score=None,
        max_score=lab.max_score,
        digests=Digests(
            lab=lab.digest,
            evidence=_digest(evidence) if evidence else None,
            base=evidence.base if evidence else None,
        ),
        grader=about["grader"],
        engine=about["engine"],
        seed=about["seed"],
        seconds=about["seconds"],
    )


def _unjudged(
    report: Report, status: Status, run_class: RunClass, score: float | None, error: GraderError, lang: Lang
) -> Report:
    message = words.say(error.code, lang, error.facts)
    rejection = Rejection(rule=error.code, message=message, facts=dict(error.facts))
    return report.model_copy(update={"status": status, "run_class": run_class, "score": score, "rejection": rejection})


def _report_item(item: Item, verdict: Verdict | None) -> ReportItem:
    verdict = verdict or Verdict(item=item.id, outcome="skipped", share=0, cause="not_asked")
    return ReportItem(
        id=item.id,
        outcome=verdict.outcome,
        points=round(item.points * verdict.share, 2),
        max_points=item.points,
        visibility=item.visibility,
        cause=verdict.cause,
        facts=verdict.facts,
    )


def _worded_item(shown: ReportItem, lab: Lab, lang: Lang) -> ReportItem:
    own = lab.item(shown.id).causes.get(shown.cause or "")
    if own is not None:
        sentence, names = own.in_(lang), words.placeholders(own.en) | words.placeholders(own.fr)
    elif shown.cause is not None and words.known(code := _shared(shown)):
        sentence, names = words.template(code, lang), words.placeholders(words.template(code, lang))
        names |= {"item"}  # the item that blocks this one, by which its title is found in another language
    else:
        sentence, names = "", frozenset()
    facts = _allowed(shown, names)
    blockers = [item.title.in_(lang) for item in lab.items if own is None and item.id == facts.get("item")]
    said = facts | {"title": blockers[0]} if blockers else facts
    return shown.model_copy(
        update={
            "message": words.fill(sentence, said, lang),
            "hints": own.hints.in_(lang) if own and own.hints else (),
            "facts": facts,
        }
    )


def _shared(shown: ReportItem) -> str:
    """The code of the words that every lab shares: those for the very rule that was broken, where there are some."""
    narrower = f"{shown.cause}_{shown.facts.get('rule')}"
    return narrower if words.known(narrower) else str(shown.cause)


def _allowed(shown: ReportItem, names: frozenset[str]) -> dict[str, Json]:
    """A hidden check's facts may hold hidden data: the report keeps only what its sentence says."""
    return {name: fact for name, fact in shown.facts.items() if shown.visibility == "public" or name in names}


def _digest(evidence: Evidence) -> str:
    data = json.loads(evidence.model_dump_json())  # as the stored file reads, so that a regrade finds the same digest
    return "sha256:" + hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
