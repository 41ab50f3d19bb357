"""`doctor`: what this machine can grade, and what to type where something is missing."""

from __future__ import annotations

import click

from grader.cli.session import Session, lang_option

OURS = 4


@click.command()
@lang_option
@click.pass_obj
def doctor(session: Session) -> int:
    """Look at this machine: can it grade a lab that builds an image? Exit 0 when it can, 4 when not."""
    from grader.doctor import examine

    settings = session.settings()
    colours = {"ok": "green", "warning": "yellow", "missing": "red"}
    findings = examine(settings.runs, settings.cache)
    words = {level: session.say(f"doctor_level_{level}") for level in colours}
    width = max(map(len, words.values()))
    for finding in findings:
        level = click.style(words[finding.level].ljust(width), fg=colours[finding.level])
        sentence = session.say(finding.code, **finding.facts).replace("\n", "\n" + " " * (width + 2))
        click.echo(f"{level}  {sentence}", color=session.colour())
    return OURS if any(finding.level == "missing" for finding in findings) else 0
