"""The report as one page that needs nothing else: no script, no network, no file beside it.

Everything shown passes through `inert` and Jinja's escaping; the only markup that is trusted is the template's own and
the drawings', whose every text is escaped where it enters (`svg.element`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from grader.records import Evidence, Lab, Lang, Report
from grader.render.figures import number, seconds
from grader.render.html.charts import figures, points_strip
from grader.render.html.figure import Figure, Say, probe
from grader.render.inert import REPORT_LIMIT, inert
from grader.render.outcomes import SIGNS, grouped, public_tally, summary, titles, won
from grader.words import known, say

if TYPE_CHECKING:
    from jinja2 import Template

_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True)
class Log:
    """A stretch of the student's own output; `open` where it says why points were lost."""

    name: str
    text: str
    open: bool


def render_html(report: Report, evidence: Evidence | None, lab: Lab, lang: Lang) -> str:
    """The whole page as a string of at most 2 MiB; pictures and logs are left out where the evidence is missing."""

    def words(code: str, **facts: Any) -> str:
        return say(f"render_{code}" if known(f"render_{code}") else code, lang, facts)

    page = _page(report, evidence, lab, lang, words)
    if len(page.encode()) > REPORT_LIMIT:
        page = _page(report, None, lab, lang, words)
    return page


def _page(report: Report, evidence: Evidence | None, lab: Lab, lang: Lang, words: Say) -> str:
    drawn = figures(evidence, lab, lang, words) if lab.kind == "image" and report.status == "graded" else []
    return _template().render(
        report=report,
        lab=lab,
        lang=lang,
        t=words,
        groups=grouped(report),
        summary=summary(report, lang),
        tally=public_tally(report),
        titles=titles(lab, lang),
        signs=SIGNS,
        strip=points_strip(report, lang, words) if report.items else None,
        figures=_ordered(drawn),
        logs=[*_logs(evidence), *_run_logs(evidence, lab)],
        base_asked=(probe(evidence, "build", "result") or {}).get("base_asked"),
        won=lambda item: won(item, lang),
        number=lambda value: number(value, lang),
        seconds=lambda value: seconds(value, lang),
    )


def _ordered(drawn: list[Figure]) -> list[Figure]:
    """Pictures first; what could not be drawn follows, one sentence each."""
    return sorted(drawn, key=lambda figure: not figure.pictures)


def _logs(evidence: Evidence | None) -> list[Log]:
    build = probe(evidence, "build", "result") or {}
    ready = probe(evidence, "normal", "ready") or {}
    logs = [Log("log_build", build.get("log") or "", not build.get("ok", True))]
    started = ready.get("log") or ""
    before, marker, after = started.rpartition(_TRACEBACK)
    if marker:
        logs.append(Log("log_traceback", marker + after, not ready.get("ok", True)))
        started = before
    logs.append(Log("log_start", started, not ready.get("ok", True) and not marker))
    return _shown(logs)


def _run_logs(evidence: Evidence | None, lab: Lab) -> list[Log]:
    """What notebooks and programs printed; not where they saw given files, which may be hidden data."""
    logs = []
    for name, spec in lab.executions.items():
        result = probe(evidence, name, "result") or {}
        if spec.given is None:
            logs.append(Log("log_run", result.get("log") or "", not result.get("ok", True)))
    return _shown(logs)


def _shown(logs: list[Log]) -> list[Log]:
    return [
        Log(log.name, inert(log.text.strip("\r\n"), lines=True, tail=True), log.open)
        for log in logs
        if log.text.strip()
    ]


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("grader.render", "html"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    return environment.get_template("report.html.j2")


def prose(text: str) -> Markup:
    """A sentence with what stands between backticks set as code; each piece is escaped on its own."""
    pieces = inert(text, lines=True).split("`")
    if len(pieces) % 2 == 0:
        return Markup(escape("`".join(pieces)))
    return Markup().join(
        Markup("<code>{}</code>").format(piece) if index % 2 else piece for index, piece in enumerate(pieces)
    )


def _finalize(value: object) -> object:
    """Every text that the template shows is inert, whoever wrote it; drawings are safe already."""
    return inert(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value
