"""The views of a report: `FORMATS[name](report, reader)` is a string, and no view changes anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grader.records import Evidence, Lab, Lang, Report


@dataclass(frozen=True)
class Reader:
    """For whom a report is rendered, and what else of the run may be shown beside it."""

    lab: Lab
    lang: Lang = "en"
    evidence: Evidence | None = None
    run: Path | None = None
    verbose: bool = False
    colour: bool = False
    width: int = 80


View = Callable[[Report, Reader], str]


def _text(report: Report, reader: Reader) -> str:
    from grader.render.text import render_text

    return render_text(
        report,
        reader.lab,
        reader.lang,
        run=reader.run,
        verbose=reader.verbose,
        colour=reader.colour,
        width=reader.width,
    )


def _json(report: Report, reader: Reader) -> str:
    from grader.render.json import render_json

    return render_json(report)


def _html(report: Report, reader: Reader) -> str:
    from grader.render.html import render_html

    return render_html(report, reader.evidence, reader.lab, reader.lang)


def _junit(report: Report, reader: Reader) -> str:
    from grader.render.junit import render_junit

    return render_junit(report, reader.lab, reader.lang)


def _markdown(report: Report, reader: Reader) -> str:
    from grader.render.markdown import render_markdown

    return render_markdown(report, reader.lab, reader.lang, verbose=reader.verbose)


FORMATS: dict[str, View] = {"text": _text, "json": _json, "junit": _junit, "html": _html, "markdown": _markdown}
