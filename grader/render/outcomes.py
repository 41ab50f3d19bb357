"""What every view says about a report: signs, groups, whose turn it is. Nothing here writes a format."""

from __future__ import annotations

from dataclasses import dataclass

from grader.records import Lab, Lang, Outcome, Report, ReportItem
from grader.render.figures import number
from grader.words import say

SIGNS: dict[Outcome, str] = {
    "passed": "✓",
    "partial": "◐",
    "failed": "✗",
    "blocked": "↳",
    "skipped": "–",
    "error": "!",
}


@dataclass(frozen=True)
class Groups:
    """The items of a report by what the reader does about them, in rubric order."""

    fix: tuple[ReportItem, ...]  # points lost by the student's work
    blocked: tuple[ReportItem, ...]
    ours: tuple[ReportItem, ...]  # error: the grader's fault
    skipped: tuple[ReportItem, ...]
    remarks: tuple[ReportItem, ...]  # full points with a sentence beside


def grouped(report: Report) -> Groups:
    """The items to fix, the items that wait for another, ours, the unassessed, and the remarks."""
    items = report.items
    return Groups(
        fix=tuple(item for item in items if item.outcome in ("failed", "partial")),
        blocked=tuple(item for item in items if item.outcome == "blocked"),
        ours=tuple(item for item in items if item.outcome == "error"),
        skipped=tuple(item for item in items if item.outcome == "skipped"),
        remarks=tuple(item for item in items if item.outcome == "passed" and item.message),
    )


def titles(lab: Lab, lang: Lang) -> dict[str, str]:
    """Item id -> title. An item that the lab no longer has is missing: the report may be older than the lab."""
    return {item.id: item.title.in_(lang) for item in lab.items}


def summary(report: Report, lang: Lang) -> list[str]:
    """Whose turn it is and why, then what makes the mark provisional: the sentences under the score."""
    plain = report.run_class == "GRADED" or report.status == "rejected"
    sentences = [] if plain else [say(f"class_{report.run_class}", lang, {})]
    sentences.append(say(_whose(report), lang, {}))
    if report.provisional and report.score is not None:
        unknown = ", ".join(item.id for item in report.items if item.outcome in ("skipped", "error"))
        sentences.append(say("render_provisional", lang, {"items": unknown or "-"}))
    return sentences


def _whose(report: Report) -> str:
    """The code of the sentence that says whose fault the lost points are."""
    groups = grouped(report)
    lost = bool(groups.fix or groups.blocked)
    match report.status:
        case "rejected":
            return "render_whose_rejected"
        case "review":
            return "fault_person"
        case "infra":
            return "fault_ours"
    if groups.ours:
        return "render_whose_shared" if lost else "render_whose_ours"
    if lost:
        return "render_whose_work"
    return "render_whose_partly" if groups.skipped else "render_whose_none"


def public_tally(report: Report) -> tuple[int, int]:
    """How many public checks passed, of how many: what a report without a total says instead."""
    public = [item for item in report.items if item.visibility == "public"]
    return sum(item.outcome == "passed" for item in public), len(public)


def won(item: ReportItem, lang: Lang) -> str:
    """The points of an item, or a dash where nothing could be assessed: that is not a zero."""
    return "–" if item.outcome in ("skipped", "error") and not item.points else number(item.points, lang)
