"""Container engines behind one seam; `open_engine` picks the one that answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.engines.base import Engine


def open_engine(choice: str) -> Engine | None:
    """The engine for `auto`, `docker` or `local`; None where student images cannot be run.

    `local` runs no images, so it is None here. `auto` is Docker where it answers, else None.
    Raises `InfraError` when `docker` was asked for and does not answer.
    """
    if choice == "local":
        return None
    from grader.engines.docker import connect
    from grader.errors import InfraError

    try:
        return connect()
    except InfraError:
        if choice == "docker":
            raise
        return None
