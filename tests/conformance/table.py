"""The fake engine's half of the suite: what it is told that the cases do."""

from __future__ import annotations

from grader.engines.base import Built, ImageInfo, Layer, LayerFile, Process
from grader.engines.table import Behaviour, Picture, Table

from . import benches, cases

BASE = ImageInfo("sha256:" + "ba5e" * 16, 1000, "", ("python3",), (), (), (), ("sha256:0",))
BASE_LAYER = Layer("sha256:0", 1000, 1.0, "base", False)


def table() -> Table:
    """A fresh table for one test."""
    return Table(
        images={BASE.id: Picture(BASE, (BASE_LAYER,))},
        builds={
            text(case[0]): [Built(None, case[2], "exit 3", case[3], "so far so good")] for case in cases.BUILDS.values()
        }
        | {text(cases.LAYERS): [layered()]},
        containers={
            cases.FAILS: Behaviour(exit_code=3, output="out\nerr\n"),
            cases.RUNS: Behaviour(processes=(Process(41, "sleep", (cases.UID,) * 3),)),
            cases.EATS_MEMORY: Behaviour(exit_code=137, oom=True),
            cases.FEEDS_A_CHILD: Behaviour(oom=True),
            cases.TALKS: Behaviour(exit_code=0, output="y\n" * 150_000 + "end\n"),
            cases.ENDS_POLITELY: Behaviour(ends_on=(("SIGTERM", 7),)),
            cases.BUSY: Behaviour(cpu_step=0.2),
            cases.MISSING: Behaviour(exit_code=127),
        },
    )


def text(instructions: str) -> str:
    return f"FROM {BASE.id}\nLABEL {benches.LABEL}={benches.TOKEN}\n{instructions}"


def layered() -> Picture:
    rows = [row.replace("|", " ") for row in cases.OWN_LAYERS]
    own = [Layer(f"sha256:{index}", 5 * (index != 2), 2.0, row, True) for index, row in enumerate(rows, 1)]
    diff_ids = tuple(layer.diff_id for layer in (BASE_LAYER, *own))
    info = ImageInfo("sha256:" + "cafe" * 16, 1020, "1000:1000", ("python", "-V"), (), ("8000/tcp",), (), diff_ids)
    files = tuple(LayerFile(1 + layer, path, size) for layer, path, size in sorted(cases.OWN_FILES))
    return Picture(info, (BASE_LAYER, *own), files, heads=("cafecafecafe",))
