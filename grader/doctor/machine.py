"""What this machine has of all that grading needs; nothing is changed and no container is started."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from grader.doctor.finding import Finding, State
from grader.engines.base import Engine, ImageInfo
from grader.errors import Fact, InfraError
from grader.images.recipe import BASE_FOLDER, recipe_tag
from grader.images.rootfs import require_bootstrap
from grader.images.wheels import canonical, read_pins

GIB = 1024**3
DISK_ENOUGH_GIB, DISK_LEAST_GIB = 5.0, 2.0  # a build may take 2 GiB before its own limit stops it
CGROUPS = Path("/sys/fs/cgroup")
COUNTERS = ("cpuacct", "cpu,cpuacct")


def host_cgroups() -> Finding:
    """What can be seen without an engine to ask."""
    if (CGROUPS / "cgroup.controllers").exists():
        return Finding("cgroup", "unknown", "doctor_cgroup_untested", None, {"version": 2})
    if any((CGROUPS / name).is_dir() for name in ("memory", *COUNTERS)):
        return Finding("cgroup", "holds", "doctor_cgroup", None, {"version": 1})
    return Finding("cgroup", "warning", "doctor_cgroup_none", "doctor_cgroup_do")


def disk(runs: Path) -> Finding:
    folder = next(path for path in (runs, *runs.parents) if path.is_dir())
    free = shutil.disk_usage(folder).free / GIB
    state: State = "holds" if free >= DISK_ENOUGH_GIB else "warning" if free >= DISK_LEAST_GIB else "fails"
    facts: dict[str, Fact] = {"free": round(free, 1), "enough": DISK_ENOUGH_GIB, "folder": str(folder)}
    if state == "holds":
        return Finding("space", state, "doctor_disk", None, facts)
    return Finding("space", state, "doctor_disk_low", "doctor_disk_do", facts)


def base(found: ImageInfo | None, cache: Path) -> Finding:
    """Whether the course base is in the engine, is made by the next run, or takes a command first."""
    if found is not None:
        return Finding("base", "holds", "doctor_base", None, {"tag": recipe_tag()})
    if is_cached(cache):
        return Finding("base", "warning", "doctor_base_cached", "doctor_base_do")
    try:
        require_bootstrap()
    except InfraError as error:
        return Finding("base", "fails", error.code, None, error.facts)
    return Finding("base", "warning", "doctor_base_later", "doctor_base_do")


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
    whole = facts["there"] == facts["wanted"]
    return Finding(
        "wheels", "holds" if whole else "warning", "doctor_wheels", None if whole else "doctor_base_do", facts
    )


def file_events(engine: Engine) -> Finding:
    """How it is known whether a service opens its model again."""
    with tempfile.TemporaryDirectory(prefix="grader-doctor-") as folder:
        try:
            watch = engine.host.watch(Path(folder), "model.onnx")
        except InfraError as error:
            return Finding("events", "fails", error.code, None, error.facts)
        if watch is None:
            return Finding("events", "holds", "doctor_events_portable")
        watch.close()
    return Finding("events", "holds", "doctor_events_direct")


def counters(same_kernel: bool) -> Finding:
    readable = (CGROUPS / "cgroup.controllers").exists() or any((CGROUPS / name).is_dir() for name in COUNTERS)
    direct = same_kernel and readable
    return Finding("counters", "holds", "doctor_counters_direct" if direct else "doctor_counters_portable")


def layers(engine: Engine, image: ImageInfo) -> Finding:
    way, _ = engine.host.layer_files(image.id, engine.images.layers(image.id, image.id))
    return Finding("layers", "holds", "doctor_layers_direct" if way == "overlay" else "doctor_layers_portable")
