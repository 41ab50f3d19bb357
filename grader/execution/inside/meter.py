"""Runs in the kernel before the first cell: what prints beyond all measure ends it at once, while there is memory left.

The kernel gathers what is printed and sends it five times a second: a loop that prints a gigabyte would fill both ends.
"""

import os
import sys
from collections.abc import Callable

TOO_MUCH = 12  # the exit code by which notebook.py knows it


def meter(most: int) -> None:
    """From now on, count what the cells write to both streams."""
    from IPython import get_ipython

    room = [most]

    def metered(write: Callable[[str], int]) -> Callable[[str], int]:
        def counted(text: str) -> int:
            room[0] -= len(text)
            if room[0] < 0:
                os._exit(TOO_MUCH)
            return write(text)

        return counted

    def begin(*_: object) -> None:
        """IPython sets the streams' own `write` anew around each cell."""
        for stream in (sys.stdout, sys.stderr):
            stream.write = metered(stream.write)  # type: ignore[method-assign]

    get_ipython().events.register("pre_run_cell", begin)
