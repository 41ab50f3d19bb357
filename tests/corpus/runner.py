"""One case, graded as everybody's work is, and all that must hold afterwards.

The control is the reference submission: graded right after each case, and beside those of groups B and C, it must get
its full marks as if nothing had happened.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.cli.session import Session as Asking
from grader.cli.session import Settings
from grader.cli.site import open_site, require_held
from grader.lab import load_lab
from tests.corpus.after import cleared, kept_mib
from tests.corpus.gen import CASES, gen
from tests.corpus.grading import ROOT, Follower, Graded, grade
from tests.corpus.judging import also_faults, growth_fault, outcome_faults, report_of, rule_of, run_faults
from tests.corpus.place import LABS, REFERENCE, Place, place
from tests.corpus.undone import VARIABLE
from tests.corpus.watcher import Watcher

if TYPE_CHECKING:
    from docker import APIClient

BOUND_OF_CONTROL = 120.0
ASKED, SETTINGS = Asking({}, "en"), Settings(ROOT, ROOT / "runs", ROOT / ".cache")
BESIDE = ("B", "C")  # the groups beside which the control runs as well
Row = dict[str, Any]


@dataclass
class Session:
    """One engine, listened to for as long as cases are run on it."""

    api: APIClient
    watcher: Watcher
    cores: int
    data_root: Path
    bystanders: list[str]
    made: set[str] = field(default_factory=set)  # the labs whose images are there

    def make_images(self, lab: str) -> None:
        """Make what a lab runs in, once: minutes that are no part of any case's time."""
        if lab not in self.made:
            with open_site(ASKED, SETTINGS, "docker", quiet, load_lab(LABS[lab])):
                self.made.add(lab)

    def follower(self, runs: Path) -> Follower:
        return Follower(runs, self.data_root, self.watcher.seen)


def quiet(step: str, detail: str) -> None:
    """Nobody watches."""


@contextmanager
def session() -> Iterator[Session]:
    """The engine with the grader's images made, and with things on it that no run may take away."""
    from docker import APIClient
    from docker.utils import kwargs_from_env

    with open_site(ASKED, SETTINGS, "docker", quiet) as site:
        require_held(ASKED, site)  # once a boot: what takes long is not to fall into the first case's time
    where = kwargs_from_env()  # the engine that the grader itself is sent to, never another one
    api, own = APIClient(version="auto", **where), APIClient(version="auto", timeout=None, **where)
    watcher = Watcher(api, own)
    watcher.start()
    info = api.info()
    with standing_by(api) as names:
        try:
            yield Session(api, watcher, int(info["NCPU"]), Path(info["DockerRootDir"]), names)
        finally:
            watcher.close()
            own.close()
    api.close()


@contextmanager
def standing_by(api: APIClient) -> Iterator[list[str]]:
    """A container, a volume, a network and an image's name that belong to somebody else."""
    from grader.images import BASE_TAG

    name = f"corpus-bystander-{secrets.token_hex(4)}"
    api.create_container(BASE_TAG, ["true"], name=name)
    api.create_volume(name)
    api.create_network(name, internal=True)
    api.tag(BASE_TAG, name, "1")
    try:
        yield [name]
    finally:
        api.remove_container(name)
        api.remove_volume(name)
        api.remove_network(name)
        api.remove_image(f"{name}:1", noprune=True)


def vanished(api: APIClient, name: str) -> list[str]:
    found = {
        "container": any(f"/{name}" in row["Names"] for row in api.containers(all=True)),
        "volume": any(row["Name"] == name for row in api.volumes()["Volumes"] or ()),
        "network": any(row["Name"] == name for row in api.networks()),
        "image": bool(api.images(name=f"{name}:1")),
    }
    return [f"U5: somebody else's {kind} is gone" for kind, there in found.items() if not there]


def run_case(session: Session, case_id: str, seed: int, without: str | None = None) -> Iterator[Row]:
    """A row for each submission of the case; `without` one of the defences, when it is to be seen missing."""
    at = 0
    while True:
        with place(session.api) as found:
            case = json.loads(gen(case_id, found.home / "case", found.params, seed).read_text())
            session.make_images(case["lab"])
            row = _run_one(session, case, found, at, seed, without)
        yield row
        at += 1
        if at == len(case["submissions"]):
            return


def _run_one(session: Session, case: dict[str, Any], found: Place, at: int, seed: int, without: str | None) -> Row:
    submission = found.home / "case" / case["submissions"][at]
    beside: list[Row] = []
    thread = threading.Thread(target=lambda: beside.append(_control(session, found, "beside", seed)))
    if CASES[case["id"]] in BESIDE:
        thread.start()
    lab, runs = found.labs[case["lab"]], found.home / "runs"
    environment = found.environment | ({VARIABLE: without} if without else {})
    graded = grade(lab, submission, runs, seed, case["bound"], session.follower(runs), environment)
    left, gone = cleared(session.api, graded)
    if thread.ident is not None:
        thread.join()
    after = _control(session, found, "after", seed)
    report, faults = report_of(graded)
    faults += outcome_faults(case, report) + run_faults(case, graded, report, found)
    faults += also_faults(case, graded, gone)
    faults += [f"U5: left on {kind}: {', '.join(rest[:3])}" for kind, rest in left.items()]
    faults += [fault for name in session.bystanders for fault in vanished(session.api, name)]
    faults += [f"U6: {fault}" for control in [*beside, after] for fault in control["faults"]]
    growth = kept_mib(session.api, graded)
    faults += growth_fault(growth)
    faults += [f"U11: {fault}" for fault in session.watcher.faults(graded.trace, graded.runs, session.cores)]
    return {
        "case": case["id"], "seed": seed, "submission": case["submissions"][at],
        "of": len(case["submissions"]), "ok": not faults, "faults": faults,
        "class": report.run_class if report else None, "score": report.score if report else None,
        "rule": rule_of(report) if report else None, "honest": case["honest"],
        "seconds": round(graded.seconds, 2), "bound": case["bound"], "peak_mib": round(graded.peak_mib, 1),
        "clear_seconds": gone, "growth_mib": round(growth, 1), "written_mib": round(graded.trace.written_mib, 1),
        "data_root_mib": round(graded.trace.data_root_mib, 1), "log_mib": round(graded.trace.log_mib, 2),
        "control": {"after": after["seconds"], **({"beside": beside[0]["seconds"]} if beside else {})},
        "said": _said(graded) if faults else "",
    }  # fmt: skip


def _control(session: Session, found: Place, name: str, seed: int) -> Row:
    """The reference, graded now; U6."""
    runs = found.home / f"control-{name}"
    graded = grade(found.labs["H"], REFERENCE, runs, seed + 1, BOUND_OF_CONTROL, session.follower(runs), {})
    report, faults = report_of(graded)
    score = report.score if report else None
    if score != 100:
        faults.append(f"the control {name} got {score}: {_said(graded)}")
    faults += session.watcher.faults(graded.trace, graded.runs, session.cores)
    return {"seconds": round(graded.seconds, 2), "faults": faults}


def _said(graded: Graded) -> str:
    return (graded.stdout + graded.stderr).decode(errors="replace")[-1500:]
