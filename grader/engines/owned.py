"""The resources of one run: each written into the ledger before it exists, all removed at the end."""

from __future__ import annotations

import itertools
import secrets
from contextlib import suppress
from dataclasses import replace
from types import TracebackType

from grader.engines.base import BuildRequest, Built, Engine, RunRequest, Sandbox
from grader.engines.building import new_marker
from grader.engines.reaper import Kind, Ledger, in_order_of_removal
from grader.errors import InfraError


class Owned:
    """Starts, builds and removes on behalf of one run; leaving the `with` block removes what is left."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        self.engine = engine
        self._ledger = ledger
        self._token = secrets.token_hex(6)
        self._numbers = itertools.count()
        self._live: dict[str, tuple[Kind, str]] = {}  # two threads write here: one step for each entry

    def name(self, role: str) -> str:
        """A name on the engine that tells nothing about the lab or the student."""
        return f"grader-{self._token}-{role}"

    def start(self, role: str, request: RunRequest) -> Sandbox:
        """A started sandbox under this run's name; `request.name` is filled in here."""
        name = self.name(f"{role}-{next(self._numbers)}")
        self._intend("container", name)
        sandbox = self.engine.runner.start(replace(request, name=name))
        self._created("container", name, sandbox.id)
        return sandbox

    def volume(self, role: str, mib: int = 1, inodes: int = 0) -> str:
        name = self.name(role)
        self._intend("volume", name)
        self.engine.runner.create_volume(name, mib, inodes)
        return name

    def number(self) -> int:
        """A number that this run has not used in a name yet."""
        return next(self._numbers)

    def build(self, request: BuildRequest) -> Built:
        """Build under `request.tag`, which goes with the run."""
        marker = new_marker()
        self._intend("image", request.tag)
        self._intend("building", str(marker))
        built = self.engine.builder.build(replace(request, marker=marker), self._met)
        if built.ended:  # and its containers are removed
            self._ledger.removed("building", str(marker))
            del self._live[str(marker)]
        return built

    def remove(self, name: str) -> None:
        """Remove one resource now, by the name this run gave it."""
        if name in self._live:
            kind, identity = self._live[name]
            self.engine.remove(kind, identity)
            self._ledger.removed(kind, name)
            del self._live[name]

    def close(self) -> None:
        """Remove everything; what cannot be removed now is left to the reaper."""
        rows = [(kind, name, identity) for name, (kind, identity) in self._live.items()]
        for _, name, _ in in_order_of_removal(rows):
            with suppress(InfraError):
                self.remove(name)

    def __enter__(self) -> Owned:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _met(self, image: str, made: bool) -> None:
        """Own an image that our build made; note one from the cache, so that no reaper takes it from under us."""
        self._intend("build" if made else "met", image)

    def _intend(self, kind: Kind, name: str) -> None:
        if name not in self._live:
            # First: an image of a build is there already, and must go though the disk has no room for its row.
            self._live[name] = (kind, name)
            self._ledger.intend(kind, name)

    def _created(self, kind: Kind, name: str, identity: str) -> None:
        self._ledger.created(kind, name, identity)
        self._live[name] = (kind, identity)
