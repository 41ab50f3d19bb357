"""`images build`, `list` and `remove`: the images that the grader runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from grader.cli.session import Session, Suggesting, lang_option
from grader.cli.site import make_kit

if TYPE_CHECKING:
    from grader.engines.base import Engine

OFFICIAL = "python:3.11-slim"


@click.group(cls=Suggesting)
def images() -> None:
    """The images that the grader runs: course base, driver, yardstick, and the one for notebooks."""


@images.command()
@click.option(
    "--from-registry", "tag", metavar="TAG", is_flag=False, flag_value=OFFICIAL,
    help=f"Make the base anew on an image of a registry ({OFFICIAL} where no TAG is given).",
)  # fmt: skip
@click.option("--notebook", is_flag=True, help="Make the notebook image too: 0.6 GB to download, a few minutes.")
@lang_option
@click.pass_obj
def build(session: Session, tag: str | None, notebook: bool) -> None:
    """Make the images that are not there yet; the base takes root, and about a minute the first time."""
    from grader.images import build_base_from_registry, ensure_notebook

    settings = session.settings()
    with opened() as engine:
        if tag is not None:
            build_base_from_registry(engine, tag, settings.cache, progress)
        make_kit(engine, settings, progress)
        if notebook:
            ensure_notebook(engine, settings.cache, progress)
    session.put("cli_images_ready")


@images.command("list")
@lang_option
@click.pass_obj
def list_made(session: Session) -> None:
    """List the images that this checkout made."""
    from grader.images import list_images

    with opened() as engine:
        found = list_images(engine, session.settings().cache)
    for image in found:
        click.echo(f"{image.kind:10}  {image.tag:32}  {image.id}")
    if not found:
        session.put("cli_images_none")


@images.command()
@lang_option
@click.pass_obj
def remove(session: Session) -> None:
    """Remove the images that this checkout made, and no others."""
    from grader.images import remove_images

    with opened() as engine:
        removed = remove_images(engine, session.settings().cache, progress)
    session.put("cli_images_removed", count=len(removed))


@contextmanager
def opened() -> Iterator[Engine]:
    """The engine; images without one are an error, whose words say how to get one."""
    from grader.engines import open_engine

    engine = open_engine("docker")
    assert engine is not None
    try:
        yield engine
    finally:
        engine.close()


def progress(message: str) -> None:
    click.echo(message, err=True)
