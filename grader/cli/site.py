"""The place where grading happens, opened for one command: engine, our images, stored runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from grader.cli.session import Session, Settings

if TYPE_CHECKING:
    from grader.engines.base import Engine
    from grader.pipeline import Site
    from grader.probes.rig import Kit
    from grader.records import Lab
    from grader.store import Store
    from grader.workrooms import Workroom

ENGINES = ("auto", "docker", "local")
SEEDS = 2**31


@contextmanager
def open_site(
    session: Session,
    settings: Settings,
    choice: str,
    progress: Callable[[str, str], None],
    lab: Lab | None = None,
    own: bool = False,
) -> Iterator[Site]:
    """A site on the chosen engine with the images that `lab` takes; without an engine where none is to be had.

    Notebooks also run without one, where that is asked for or the work is one's `own`.
    """
    from grader.engines import open_engine
    from grader.pipeline import Site
    from grader.store import Store

    notebooks = lab is not None and lab.kind == "notebook"
    step = session.say("cli_step_images")

    def tell(message: str) -> None:
        progress(step, message)

    engine = open_engine(choice)
    store = Store(settings.runs)
    with ExitStack() as stack:
        kit, room = None, None
        if engine is not None:
            stack.callback(engine.close)
        if notebooks and (engine is not None or choice == "local" or own):
            room = stack.enter_context(open_room(engine, settings, store, tell))
        elif engine is not None:
            kit = make_kit(engine, settings, tell)
        yield Site(settings.home, settings.cache, store, engine, kit, progress, room)


@contextmanager
def open_room(
    engine: Engine | None, settings: Settings, store: Store, progress: Callable[[str], None], ahead: int = 0
) -> Iterator[Workroom]:
    """Where notebooks run: containers of the notebook image, or plain processes where there is no engine.

    It has a ledger of its own, so that the reaper knows what it made.
    """
    from grader.engines.reaper import Ledger

    name = f"room-{secrets.token_hex(4)}"
    with Ledger(store.active, name) as ledger:
        if engine is None:
            from grader.workrooms.local import LocalRoom

            folder = store.work / name
            ledger.intend("folder", str(folder))
            with LocalRoom(folder, settings.cache) as local:
                yield local
            ledger.removed("folder", str(folder))
            return
        from grader.engines.owned import Owned
        from grader.executing import warm_text
        from grader.images import ensure_notebook
        from grader.workrooms.container import ContainerRoom

        image = ensure_notebook(engine, settings.cache, progress).id
        with Owned(engine, ledger) as owned, ContainerRoom(owned, image, ahead=ahead, warm=warm_text()) as room:
            yield room


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

    image = site.kit.base if site.kit is not None else site.room.identity if site.room is not None else None
    if site.engine is not None and image is not None:
        require_enforced(site.engine, image, site.cache, site.store.active, session.lang)


def engine_help(session: Session, choice: str) -> str:
    """How the reader gets an engine, in one sentence."""
    if choice == "local":
        return session.say("cli_engine_local")
    from grader.engines.docker import why_unreachable

    return session.say(why_unreachable())
