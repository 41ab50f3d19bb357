"""`doctor`: what this machine can grade, what it holds containers to, and what to type where something is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from grader.cli.session import Session, emit, lang_option

if TYPE_CHECKING:
    from grader.doctor import Advisory, Finding
    from grader.records import Json

OURS = 4
COLOURS = {"holds": "green", "warning": "yellow", "fails": "red", "unknown": "cyan"}


@click.command()
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True,
    help="How the findings are shown.",
)  # fmt: skip
@lang_option
@click.pass_obj
def doctor(session: Session, form: str) -> int:
    """Look at this machine: can it grade a lab that builds an image, and what does it hold a container to?

    Small containers of ours try to pass their limits. Exit 0 when a lab can be graded, 4 when not.
    """
    from grader.doctor import examine

    settings = session.settings()
    findings = examine(settings.runs, settings.cache)
    if form == "json":
        rows = [row(session, finding) for finding in findings]
        emit(json.dumps({"schema": "grader/doctor/1", "findings": rows}, indent=1, ensure_ascii=False) + "\n")
    else:
        put_lines(session, findings)
    return OURS if any(finding.state == "fails" for finding in findings) else 0


def put_lines(session: Session, findings: tuple[Finding, ...]) -> None:
    words = {state: session.say(f"doctor_state_{state}") for state in COLOURS}
    width = max(map(len, words.values()))
    for finding in findings:
        state = click.style(words[finding.state].ljust(width), fg=COLOURS[finding.state])
        text = " ".join(filter(None, (what(session, finding), do(session, finding))))
        lines = [text, *(f"{fault.id}: {worded(session, fault)}" for fault in finding.advisories)]
        click.echo(f"{state}  " + "\n".join(lines).replace("\n", "\n" + " " * (width + 2)), color=session.colour())


def row(session: Session, finding: Finding) -> dict[str, Json]:
    faults: list[Json] = [
        {"id": fault.id, "fixed_in": list(fault.fixed_in), "what": worded(session, fault)}
        for fault in finding.advisories
    ]
    known: dict[str, Json] = {"advisories": faults} if faults else {}
    said: dict[str, Json] = {"what": what(session, finding), "do": do(session, finding), "facts": {**finding.facts}}
    return {"id": finding.id, "state": finding.state, **said, **known}


def what(session: Session, finding: Finding) -> str:
    return session.say(finding.what, **finding.facts)


def do(session: Session, finding: Finding) -> str | None:
    return session.say(finding.do, **finding.facts) if finding.do else None


def worded(session: Session, fault: Advisory) -> str:
    return fault.fr if session.lang == "fr" else fault.en
