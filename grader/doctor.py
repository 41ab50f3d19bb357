"""What this machine has of all that grading needs, as findings; nothing is changed and no container is started."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from grader.engines import open_engine
from grader.engines.base import Engine, ImageInfo
from grader.errors import Fact, InfraError
from grader.images.recipe import BASE_FOLDER, recipe_tag
from grader.images.rootfs import require_bootstrap
from grader.images.wheels import canonical, read_pins

Level = Literal["ok", "warning", "missing"]
GIB = 1024**3
DISK_ENOUGH_GIB, DISK_LEAST_GIB = 5.0, 2.0  # a build may take 2 GiB before its own limit stops it
CGROUPS = Path("/sys/fs/cgroup")
COUNTERS = ("cpuacct", "cpu,cpuacct")


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: how bad, and the sentence that says so and what to type."""

    level: Level
    code: str
    facts: dict[str, Fact] = field(default_factory=dict)


def examine(runs: Path, cache: Path) -> tuple[Finding, ...]:
    """Everything found, in the order in which one would repair it. Nothing `missing`: lab 05 can be graded."""
    try:
        engine = open_engine("docker")
    except InfraError as error:
        found = [Finding("missing", error.code, error.facts), cgroups(), disk(runs), wheelhouse(cache)]
        return (*found, Finding("warning", "doctor_skips"))
    assert engine is not None
    try:
        return tuple(_with_engine(engine, runs, cache))
    finally:
        engine.close()


def _with_engine(engine: Engine, runs: Path, cache: Path) -> Iterator[Finding]:
    yield Finding("ok", "doctor_engine", {"engine": engine.label, "cores": engine.cores})
    yield cgroups()
    yield disk(runs)
    found = engine.images.find(recipe_tag())
    yield base(found, cache)
    if found is None:
        yield wheelhouse(cache)
    direct = file_events(engine)
    yield direct
    yield counters(direct.code == "doctor_events_direct")
    if found is not None:
        yield layers(engine, found)
    yield Finding("ok", "doctor_skips_nothing")


def cgroups() -> Finding:
    if (CGROUPS / "cgroup.controllers").exists():
        return Finding("ok", "doctor_cgroup", {"version": 2})
    if any((CGROUPS / name).is_dir() for name in ("memory", *COUNTERS)):
        return Finding("ok", "doctor_cgroup", {"version": 1})
    return Finding("warning", "doctor_cgroup_none")


def disk(runs: Path) -> Finding:
    folder = next(path for path in (runs, *runs.parents) if path.is_dir())
    free = shutil.disk_usage(folder).free / GIB
    level: Level = "ok" if free >= DISK_ENOUGH_GIB else "warning" if free >= DISK_LEAST_GIB else "missing"
    code = "doctor_disk" if level == "ok" else "doctor_disk_low"
    return Finding(level, code, {"free": round(free, 1), "enough": DISK_ENOUGH_GIB, "folder": str(folder)})


def base(found: ImageInfo | None, cache: Path) -> Finding:
    """Whether the course base is in the engine, is made by the next run, or takes a command first."""
    if found is not None:
        return Finding("ok", "doctor_base", {"tag": recipe_tag()})
    if is_cached(cache):
        return Finding("warning", "doctor_base_cached")
    try:
        require_bootstrap()
    except InfraError as error:
        return Finding("missing", error.code, error.facts)
    return Finding("warning", "doctor_base_later")


def is_cached(cache: Path) -> bool:
    """Whether the cache seems to hold a base of today's recipe; loading it checks every byte."""
    try:
        recipe = json.loads((cache / "layers.json").read_text()).get("recipe")
    except (OSError, ValueError):
        return False
    return recipe == recipe_tag() and all((cache / name).exists() for name in ("rootfs.tar", "wheels.tar"))


def wheelhouse(cache: Path) -> Finding:
    pins = read_pins((BASE_FOLDER / "wheels.txt").read_text())
    there = {canonical(wheel.name.split("-")[0]) for wheel in (cache / "wheelhouse").glob("*.whl")}
    facts: dict[str, Fact] = {"there": len(there & set(pins)), "wanted": len(pins)}
    return Finding("ok" if facts["there"] == facts["wanted"] else "warning", "doctor_wheels", facts)


def file_events(engine: Engine) -> Finding:
    """How it is known whether a service opens its model again."""
    with tempfile.TemporaryDirectory(prefix="grader-doctor-") as folder:
        try:
            watch = engine.host.watch(Path(folder), "model.onnx")
        except InfraError as error:
            return Finding("missing", error.code, error.facts)
        if watch is None:
            return Finding("ok", "doctor_events_portable")
        watch.close()
    return Finding("ok", "doctor_events_direct")


def counters(same_kernel: bool) -> Finding:
    readable = (CGROUPS / "cgroup.controllers").exists() or any((CGROUPS / name).is_dir() for name in COUNTERS)
    return Finding("ok", "doctor_counters_direct" if same_kernel and readable else "doctor_counters_portable")


def layers(engine: Engine, image: ImageInfo) -> Finding:
    way, _ = engine.host.layer_files(image.id, engine.images.layers(image.id, image.id))
    return Finding("ok", "doctor_layers_direct" if way == "overlay" else "doctor_layers_portable")
