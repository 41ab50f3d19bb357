"""The end of a container that wants more memory than it may have, before it wears the engine out.

The kernel ends one process at a time, and the engine writes down each of these ends. A program that makes new
processes faster than that would keep the engine busy for minutes after it is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from grader.engines.base import Sandbox
from grader.errors import InfraError

PERIOD_SECONDS = 2.0


class Watchman(threading.Thread):
    """Looks every two seconds whether a process of the sandbox was killed for memory, and then ends all of them."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(name="memory", daemon=True)
        self.acted = False
        self._sandbox = sandbox
        self._over = threading.Event()

    def run(self) -> None:
        with suppress(InfraError):  # whoever measures meets the engine's trouble too, and says so
            while not self._over.wait(PERIOD_SECONDS):
                if self._sandbox.starved():
                    self.acted = True
                    self._sandbox.signal("SIGKILL")
                    return

    def stop(self) -> None:
        self._over.set()
        self.join()


@contextmanager
def held_to_memory(sandbox: Sandbox) -> Iterator[Watchman]:
    """While the block runs, the sandbox is ended once it is out of memory; `acted` says whether it was."""
    watchman = Watchman(sandbox)
    watchman.start()
    try:
        yield watchman
    finally:
        watchman.stop()
