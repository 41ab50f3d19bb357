"""`lab list`, `lab lint` and `lab test`: for those who write labs."""

from __future__ import annotations

import click

from grader.cli.session import Session, Suggesting, find, lang_option
from grader.cli.site import SEEDS, open_site
from grader.errors import GraderError

DIFFERS, BROKEN, OURS = 1, 2, 4


@click.group(cls=Suggesting)
def lab() -> None:
    """The labs: list them, check one, prove one."""


@lab.command("list")
@lang_option
@click.pass_obj
def list_labs(session: Session) -> None:
    """List the labs of this checkout."""
    from grader.lab import load_lab
    from grader.render.figures import number

    for file in sorted(session.settings().labs.glob("*/lab.toml")):
        name = file.parent.name
        try:
            found = load_lab(file.parent)
        except GraderError as error:
            click.echo(f"{name:16}  {session.say(error.code, **error.facts)}")
            continue
        size = session.say("cli_lab_size", minutes=found.minutes, points=number(found.max_score, session.lang))
        click.echo(f"{name:16}  {found.title.in_(session.lang):32}  {size}")


@lab.command()
@click.argument("lab")
@lang_option
@click.pass_obj
def lint(session: Session, lab: str) -> int:
    """Say what does not fit together in LAB: rubric, checks, words. Runs nothing of it."""
    from grader.lint import lint_lab
    from grader.probes import PROBES

    found = find(lab, session.settings())
    problems = lint_lab(found, frozenset(PROBES))
    for problem in problems:
        level = session.say(f"cli_level_{problem.level}")
        click.echo(f"{level:10}  {session.say(problem.code, **problem.facts)}")
    errors = sum(problem.level == "error" for problem in problems)
    session.put("cli_linted", lab=found.id, count=errors)
    return BROKEN if errors else 0


@lab.command()
@click.argument("lab")
@click.option("--only", metavar="NAME", help="Prove the specimens of this name, beginning or glob.")
@click.option("--fresh", is_flag=True, help="Measure again what an earlier proof measured.")
@click.option(
    "--engine", type=click.Choice(("docker", "local")), default="docker", show_default=True,
    help="What runs the specimens; local, for notebooks only, is no boundary.",
)  # fmt: skip
@lang_option
@click.pass_obj
def test(session: Session, lab: str, only: str | None, fresh: bool, engine: str) -> int:
    """Prove LAB: the solution gets full marks, each wrong work loses exactly what it should.

    Exit 0 when the law holds, 1 when a specimen differs, 4 when something could not be assessed.
    """
    import secrets

    from grader.pipeline import Options
    from grader.specimens import Tick, prove, render_matrix, render_tick

    def progress(tick: Tick) -> None:
        click.echo(render_tick(tick, session.lang), nl=False, err=True)

    settings = session.settings()
    found = find(lab, settings)
    options = Options(secrets.randbelow(SEEDS), session.lang, fresh=fresh)
    with open_site(session, settings, engine, lambda step, detail: None, found) as site:
        matrix = prove(found, site, options, only, progress)
    colour = session.colour()
    click.echo(render_matrix(matrix, session.lang, colour=colour), nl=False, color=colour)
    return {"held": 0, "broken": DIFFERS, "unproved": OURS}[matrix.state]
