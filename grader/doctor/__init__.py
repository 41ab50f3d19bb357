"""What this machine can grade and what it holds a container to, as findings.

`examine` looks and tries; `require_enforced` stands before the grading of others' work.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from grader.doctor import machine
from grader.doctor.advisories import Advisory
from grader.doctor.finding import Finding, State
from grader.doctor.gate import require_enforced
from grader.doctor.installed import installed
from grader.doctor.trials import ATTEMPTS, judge, try_out
from grader.engines import open_engine
from grader.engines.base import Engine, EngineFacts, ImageInfo
from grader.errors import Fact, InfraError
from grader.images.recipe import recipe_tag

__all__ = ["Advisory", "Finding", "State", "examine", "require_enforced"]


def examine(runs: Path, cache: Path) -> tuple[Finding, ...]:
    """Everything found, in the order in which one would repair it. Nothing `fails`: lab 05 can be graded."""
    try:
        engine = open_engine("docker")
    except InfraError as error:
        missing = Finding("engine", "fails", error.code, None, error.facts)
        rest = (machine.host_cgroups(), machine.disk(runs), machine.wheelhouse(cache))
        return (missing, *rest, *untried(), Finding("skips", "warning", "doctor_skips"))
    assert engine is not None
    try:
        return tuple(examine_engine(engine, runs, cache))
    finally:
        engine.close()


def examine_engine(engine: Engine, runs: Path, cache: Path) -> Iterator[Finding]:
    about = engine.about()
    yield running(engine, about)
    yield from installed(about)
    yield machine.disk(runs)
    found = engine.images.find(recipe_tag())
    yield machine.base(found, cache)
    if found is None:
        yield machine.wheelhouse(cache)
    yield from tried(engine, found, runs / "active")
    direct = machine.file_events(engine)
    yield direct
    yield machine.counters(direct.what == "doctor_events_direct")
    if found is not None:
        yield machine.layers(engine, found)
    yield Finding("skips", "holds", "doctor_skips_nothing")


def running(engine: Engine, about: EngineFacts) -> Finding:
    facts: dict[str, Fact] = {
        "engine": engine.label,
        "cores": engine.cores,
        "kernel": about.versions.get("kernel", "?"),
    }
    return Finding("engine", "holds", "doctor_engine", None, facts)


def tried(engine: Engine, image: ImageInfo | None, active: Path) -> tuple[Finding, ...]:
    """What containers could do. An engine that refuses to start them is a finding of its own."""
    if image is None:
        return untried()
    try:
        return try_out(engine, image.id, active)
    except InfraError as error:
        return (Finding("trials", "fails", error.code, None, error.facts), *untried())


def untried() -> tuple[Finding, ...]:
    return tuple(judge(name, None) for name in ATTEMPTS)
