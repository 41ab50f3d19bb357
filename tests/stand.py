"""A run on an engine made of a table: a good submission, unless a test writes something else into the table."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grader.engines.base import ImageInfo, Layer, LayerFile, Process, RunRequest
from grader.engines.fake import FakeEngine
from grader.engines.owned import Owned
from grader.engines.reaper import Ledger
from grader.engines.table import Behaviour, Picture, Table
from grader.probes.inputs import Pool
from grader.probes.rig import Kit
from grader.records import (
    Build,
    Collect,
    Evidence,
    Item,
    Lab,
    Limits,
    Plan,
    Staged,
    StagedFile,
    Start,
    StartSpec,
    Text,
)  # fmt: skip
from grader.running import MIB, Workshop, run

BASE, STUDENT, YARDSTICK, DRIVER = (f"sha256:{letter * 64}" for letter in "bsyd")
DOCKERFILE = f"FROM {BASE}\nCOPY . .\n"
HELLO = {"label": 7, "probabilities": [0.1] * 10, "model": "0" * 12}
STARTS = {
    "normal": StartSpec(probes=("answers", "processes", "model_loads", "latency"), options={"answers": {"inputs": 3}}),
    "padded": StartSpec(probes=("model_loads",), pad_mib=2, tmp_mib=128),
    "default_caps": StartSpec(probes=("processes",), caps="default"),
    "init_off": StartSpec(probes=("stop",), model="slow", init=False),
}


def info(identity: str, user: str = "1000", **changes: Any) -> ImageInfo:
    return replace(ImageInfo(identity, 20 * MIB, user, ("serve",), (), (), (), ("sha256:0", "sha256:1")), **changes)


def picture(identity: str, own: int = 1, **changes: Any) -> Picture:
    layers = [Layer(f"sha256:{index}", 10 * MIB, float(index), f"layer {index}", False) for index in range(1 + own)]
    return Picture(info(identity, **changes), tuple(layers), (LayerFile(1, "app/main.py", 8),))


def driver() -> dict[str, Any]:
    """A driver to which every service is healthy and right."""
    chance = random.Random(1)

    def turns(command: dict[str, Any]) -> Any:
        def side(factor: float) -> list[float]:
            return [factor * chance.uniform(0.99, 1.01) for _ in range(4)]

        rows = [{"first": "student", "student": side(1.0), "yardstick": side(1.0)} for _ in range(command["count"])]
        return {"turns": rows, "failures": {"student": 0, "yardstick": 0}, "disagreements": 0}

    return {
        "hello": {"ready": True},
        "until_ready": {"status": 200, "json": {"status": "ok"}, "problem": None},
        "listeners": [{"address": "00000000", "port": 8000}],
        "ask": lambda command: [{"status": 200, "json": HELLO, "problem": None}] * len(command["requests"]),
        "spread": lambda command: {"sent": len(command["bodies"]), "failures": 0},
        "turns": turns,
        "hold": {"sent": True},
        "collect": {"status": 200, "json": HELLO, "problem": None},
        "forget": {},
    }


def for_student(reply: Any, otherwise: Any) -> Callable[[dict[str, Any]], Any]:
    """An answer for the student's service and another one for the yardstick."""
    return lambda command: reply if "-app-" in command["helper"] else otherwise


@dataclass
class Stand:
    """Everything around one run, and what it left."""

    table: Table
    engine: FakeEngine
    folder: Path
    starts: dict[str, StartSpec]
    limits: Limits
    rebuild: str | None = None

    def plan(self) -> Plan:
        build = Build(dockerfile=DOCKERFILE, lines=(1, 5), context=("main.py",), base=BASE, base_asked="python:3.11")
        return Plan(
            lab="05", build=build, starts=tuple(Start(name=name, spec=spec) for name, spec in self.starts.items()),
            rebuild=self.rebuild, limits=self.limits, seed=7, digest="",
        )  # fmt: skip

    def run(self, plan: Plan | None = None) -> Evidence:
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        with Ledger(self.folder / "active", "run") as ledger, Owned(self.engine, ledger) as owned:
            pool = Pool(tuple(bytes([n]) * 784 for n in range(9)))
            shop = Workshop(
                owned,
                Kit(BASE, DRIVER, YARDSTICK),
                work,
                self.folder / "cache",
                self.folder / "models",
                pool,
                lambda *_: None,
            )
            evidence = run(plan or self.plan(), staged(self.folder), lab(), shop)
        json.loads(evidence.model_dump_json())
        return evidence

    def apps(self) -> list[RunRequest]:
        return [request for request in self.engine.started if "-app-" in request.name]

    def roles(self) -> list[str]:
        return [request.name.split("-")[2] for request in self.engine.started]

    def left(self) -> tuple[object, ...]:
        """What is still there on the engine and in the ledger."""
        tags = [tag for tag, _ in self.engine.images.list("grader-")]
        ledger = [path.name for path in (self.folder / "active").iterdir()]
        return (dict(self.engine.containers), set(self.engine.volumes), tags, ledger)


NOTHING: tuple[object, ...] = ({}, set(), [], [])


def staged(folder: Path) -> Staged:
    root = folder / "submission"
    root.mkdir(exist_ok=True)
    (root / "main.py").write_text("print(1)")
    return Staged(source="s", root=str(root), digest="", files=(StagedFile(path="main.py", size=8, sha256="0"),))


def lab() -> Lab:
    item = Item(id="build", points=1, title=Text(en="a", fr="b"))
    return Lab(
        id="05", kind="image", minutes=1, title=Text(en="a", fr="b"), items=(item,), root="", digest="",
        collect=Collect(texts=("main.py",)),
    )  # fmt: skip


def good(folder: Path) -> Stand:
    """A stand on which everything goes well."""
    (folder / "models").mkdir()
    for name in ("fast", "slow", "constant"):
        (folder / "models" / f"{name}.onnx").write_bytes(name.encode())
    (folder / "cache").mkdir()
    polite = Behaviour(ends_on=(("SIGTERM", 0),), processes=(Process(9, "serve", (1000,) * 3),))
    images = {BASE: picture(BASE, own=0), YARDSTICK: picture(YARDSTICK), DRIVER: picture(DRIVER)}
    table = Table(images, {DOCKERFILE: [picture(STUDENT)]}, {STUDENT: polite}, driver(), opens=(1, 0, 0))
    limits = Limits(ready_seconds=0.2, phase_seconds=1)
    return Stand(table, FakeEngine(table), folder, dict(STARTS), limits)
