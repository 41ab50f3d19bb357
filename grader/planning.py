"""What will be done with a submission, decided before anything runs."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from grader import dockerfile
from grader.records import Build, DockerfileFacts, Lab, Plan, Staged, Start

SOURCE_SUFFIXES = {".py", ".js", ".mjs", ".ts", ".go", ".rb", ".pl", ".rs", ".java"}
NOT_SOURCES = {"setup.py", "conftest.py"}


def plan(lab: Lab, staged: Staged, base: str, seed: int, no_cache: bool = False) -> Plan:
    """The plan for a staged submission on the course base `base` (an image id).

    Raises `SubmissionError` where the Dockerfile breaks a rule, `Unsupported` where we cannot read it.
    """
    found = dockerfile.read_dockerfile(staged)
    if found is None:
        return _plan(lab, seed, problem="no_dockerfile")
    dockerfile.check_policy(found)
    emitted = dockerfile.emit(found, base)
    facts = dockerfile.facts(found)
    kept = dockerfile.kept_files(staged)
    build = Build(
        dockerfile=emitted.text,
        lines=emitted.lines,
        context=kept,
        extra=emitted.extra,
        base=base,
        base_asked=next((stage.base for stage in reversed(facts.stages) if not stage.earlier), ""),
        no_cache=no_cache,
    )
    decoys = dockerfile.kept_decoys(staged, lab.collect.decoys)
    return _plan(
        lab, seed, build=build, facts=facts, decoys=decoys, rebuild=touched(staged, kept) if lab.rebuild else None
    )


def touched(staged: Staged, kept: tuple[str, ...]) -> str | None:
    """The largest source file of the application: the one that is edited before the second build."""
    sizes = {file.path: file.size for file in staged.files}
    sources = [
        path
        for path in kept
        if PurePosixPath(path).suffix in SOURCE_SUFFIXES and PurePosixPath(path).name not in NOT_SOURCES
    ]
    return max(sources, key=lambda path: (sizes[path], path), default=None)


def _plan(
    lab: Lab,
    seed: int,
    *,
    problem: str | None = None,
    build: Build | None = None,
    facts: DockerfileFacts | None = None,
    decoys: tuple[str, ...] = (),
    rebuild: str | None = None,
) -> Plan:
    made = Plan(
        lab=lab.id,
        problem=problem,
        dockerfile=facts,
        build=build,
        starts=tuple(Start(name=name, spec=spec) for name, spec in lab.starts.items()),
        rebuild=rebuild,
        kept_decoys=decoys,
        limits=lab.limits,
        seed=seed,
        digest="",
    )
    return made.model_copy(update={"digest": "sha256:" + hashlib.sha256(made.model_dump_json().encode()).hexdigest()})
