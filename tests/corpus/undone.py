"""Defences switched off, one at a time, in the grader's own process: a case has to notice, or nothing tests the defence.

`python -m tests.corpus.undone` grades each case without its defence and writes down what went wrong then.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

VARIABLE = "CORPUS_UNDONE"


def no_policy() -> None:
    """Any base, any source, any instruction is taken."""
    import re

    from grader.dockerfile import policy

    policy._BASE = re.compile(".*", re.DOTALL)
    policy._check = lambda step, earlier, dockerfile: None


def no_volume_cover() -> None:
    """The volumes of an image are what the engine makes of them: folders on its disk."""
    from grader.dockerfile.emit import _Writer
    from grader.probes import starting

    whole, written = starting.run_request, _Writer._step

    def uncovered(rig: Any, start: Any, image: Any, folder: Any, profile: str) -> Any:
        request = whole(rig, start, image, folder, profile)
        return replace(request, tmpfs={at: size for at, size in request.tmpfs.items() if at not in image.volumes})

    def kept(self: Any, step: Any, *rest: Any) -> Any:
        if step.instruction.keyword == "VOLUME":
            return [f"VOLUME {step.instruction.text}"]
        return written(self, step, *rest)

    starting.run_request, _Writer._step = uncovered, kept


def no_link_refusal() -> None:
    """All three walls: where a link points to, a member below a link, and the walk that follows none."""
    from grader import archives

    archives._START = """
import os, sys; sys.path.insert(0, sys.argv[1])
from grader.archives import child, folder, untar
untar._inside = lambda parts, member: member.target
folder._WALK = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
one_by_one = folder.Folder._take_folder
folder.Folder._take_folder = lambda self, parts: (
    None if self._taken.get(folder.fold(parts), (0, 0))[1] == "link" else one_by_one(self, parts))
child.main()
"""


def no_probe_caps() -> None:
    """An answer may take as long, and be as large, as it likes."""
    from grader.probes import rig

    # As long as a socket waits for anything at all: a byte now and then keeps an exchange alive for ever.
    patch = "from driver import http; http.MAX_BODY = 1 << 40; "
    patch += "http.Reader.more = lambda self: (self.sock.settimeout(30), self.sock.recv(65536))[1]; "
    rig.ENTRY = rig.ENTRY.replace("from driver.{module}", patch + "from driver.{module}")


def no_escaping() -> None:
    """What a student wrote is shown as it is."""
    from grader.render.inert import inert

    def plain(text: str, *, lines: bool = False, tail: bool = False, limit: int = 0) -> str:
        return text

    inert.__code__ = plain.__code__  # wherever it was imported to


def no_pids_limit() -> None:
    """As many processes as there is memory for."""
    from grader.engines import settings

    whole = settings.host_config
    settings.host_config = lambda request: whole(request) | {"PidsLimit": 4096}


def loose_engine() -> None:
    """An engine that drops the limit of processes, as one without that cgroup does. The guard is still there."""
    from docker import APIClient

    create = APIClient.create_container_from_config

    def dropping(self: APIClient, config: Any, *rest: Any, **more: Any) -> Any:
        loose = {**config, "HostConfig": {**config["HostConfig"], "PidsLimit": None}}
        return create(self, loose, *rest, **more)

    APIClient.create_container_from_config = dropping


def loose_engine_unguarded() -> None:
    """The same engine, and nobody compares what it took over with what was wanted."""
    from grader.engines import docker

    loose_engine()
    docker.differences = lambda wanted, found: []


@dataclass(frozen=True)
class Undone:
    """How a defence is switched off, the case that must notice, and by which of its faults."""

    switch: Callable[[], None]
    case: str
    seen: str  # what one of the faults begins with


UNDONE = {
    "policy": Undone(no_policy, "PH09", "outcome"),
    "volume cover": Undone(no_volume_cover, "PH15", "data_root_mib"),
    "link refusal": Undone(no_link_refusal, "PH03", "U1"),
    "probe caps": Undone(no_probe_caps, "PH17", "outcome"),
    "escaping": Undone(no_escaping, "PH21", "U7"),
    "pids limit": Undone(no_pids_limit, "PH14", "U11"),
    "settings guard": Undone(loose_engine_unguarded, "PV11", "U11"),
    "(the guard is there)": Undone(loose_engine, "PV11", "outcome: class INFRA"),
}


def main() -> int:
    """Grade each case without its defence; 0 when every one of them noticed."""
    from tests.corpus.results import HERE
    from tests.corpus.runner import run_case, session

    asked = sys.argv[1:] or list(UNDONE)
    lines = ["| switched off | case | faults |", "| --- | --- | --- |"]
    missed = 0
    with session() as found:
        for name in asked:
            undone = UNDONE[name]
            (row,) = run_case(found, undone.case, 1, without=name)
            noticed = any(fault.startswith(undone.seen) for fault in row["faults"])
            missed += not noticed
            said = "; ".join(fault[:140] for fault in row["faults"][:6])
            lines.append(f"| {name} | {undone.case} | {said if noticed else f'NOT NOTICED {said}'} |")
            print(lines[-1], flush=True)
    if len(asked) == len(UNDONE):
        text = "# What happens without a defence\n\n" + "\n".join(lines) + "\n"
        (HERE / "results" / "undone.md").write_text(text)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
