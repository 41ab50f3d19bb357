"""The place where grading happens, opened for one command: engine, our images, stored runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from grader.cli.session import Session, Settings

if TYPE_CHECKING:
    from grader.engines.base import Engine
    from grader.pipeline import Site
    from grader.probes.rig import Kit

ENGINES = ("auto", "docker", "local")
SEEDS = 2**31


@contextmanager
def open_site(
    session: Session, settings: Settings, choice: str, progress: Callable[[str, str], None]
) -> Iterator[Site]:
    """A site on the chosen engine with our images in it; without an engine where none is to be had."""
    from grader.engines import open_engine
    from grader.pipeline import Site
    from grader.store import Store

    engine = open_engine(choice)
    try:
        kit = None
        if engine is not None:
            step = session.say("cli_step_images")
            kit = make_kit(engine, settings, lambda message: progress(step, message))
        yield Site(settings.home, settings.cache, Store(settings.runs), engine, kit, progress)
    finally:
        if engine is not None:
            engine.close()


def make_kit(engine: Engine, settings: Settings, progress: Callable[[str], None]) -> Kit:
    """Ids of the course base, the driver and the yardstick, each made where it is not there yet."""
    from grader.images import ensure_base, ensure_driver, ensure_yardstick
    from grader.probes.rig import Kit

    base = ensure_base(engine, settings.cache, progress)
    driver = ensure_driver(engine, base, settings.cache, progress)
    return Kit(base.id, driver.id, ensure_yardstick(engine, base, settings.cache, progress).id)


def require_held(session: Session, site: Site) -> None:
    """Before others' work is graded. Raises `InfraError` where the engine does not hold containers to their limits."""
    from grader.doctor import require_enforced

    if site.engine is not None and site.kit is not None:
        require_enforced(site.engine, site.kit.base, site.cache, site.store.active, session.lang)


def engine_help(session: Session, choice: str) -> str:
    """How the reader gets an engine, in one sentence."""
    if choice == "local":
        return session.say("cli_engine_local")
    from grader.engines.docker import why_unreachable

    return session.say(why_unreachable())
