"""What will be done with a submission, decided before anything runs."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path, PurePosixPath

from grader import dockerfile
from grader.errors import LabError
from grader.lab import near_miss
from grader.modules import marked
from grader.records import Build, DockerfileFacts, Lab, Plan, Request, Staged, Start

SOURCE_SUFFIXES = {".py", ".js", ".mjs", ".ts", ".go", ".rb", ".pl", ".rs", ".java"}
EXCHANGES = "exchanges"
MOST_REQUESTS = 500
NOT_SOURCES = {"setup.py", "conftest.py"}


def plan(
    lab: Lab, staged: Staged, base: str, seed: int, no_cache: bool = False, asked: frozenset[str] | None = None
) -> Plan:
    """The plan for a staged submission on the course base `base` (an image id); `asked` are the items to be judged.

    Raises `SubmissionError` where the Dockerfile breaks a rule, `Unsupported` where we cannot read it.
    """
    if lab.kind == "notebook":
        executions, artifacts = needed(lab, asked)
        return _plan(lab, seed, executions=executions, artifacts=artifacts)
    found = dockerfile.read_dockerfile(staged)
    if found is None:
        return _plan(lab, seed, problem="no_dockerfile", starts=planned_starts(lab, seed))
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
    exposed = dockerfile.exposed_ports(found) if lab.service.exposed else ()
    return _plan(
        lab, seed, build=build, facts=facts, decoys=decoys, rebuild=touched(staged, kept) if lab.rebuild else None,
        starts=planned_starts(
            lab, seed, tuple(port for port in exposed if port != lab.service.port), dockerfile.volume_paths(found)
        ),
    )  # fmt: skip


def needed(lab: Lab, asked: frozenset[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The executions and the artefacts that the items' checks read; all of them where one item does not say."""
    items = [item for item in lab.items if asked is None or item.id in asked]
    if asked is None or not all(item.sections for item in items):
        return tuple(lab.executions), tuple(lab.artifacts)
    wanted = {section for item in items for section in item.sections}
    artifacts = {name: spec for name, spec in lab.artifacts.items() if name in wanted}
    wanted |= {spec.from_ for spec in artifacts.values() if spec.from_ is not None}
    return tuple(name for name in lab.executions if name in wanted), tuple(artifacts)


def planned_starts(
    lab: Lab, seed: int, exposed: tuple[int, ...] = (), volumes: tuple[str, ...] = ()
) -> tuple[Start, ...]:
    """The lab's starts, each with the requests that its `inputs.py` makes from this seed for it."""
    return tuple(
        Start(name=name, spec=spec, exposed=exposed, volumes=volumes, requests=requests(lab, name, seed))
        for name, spec in lab.starts.items()
    )


def requests(lab: Lab, start: str, seed: int) -> dict[str, tuple[Request, ...]]:
    """What the probe `exchanges` of a start is to send, by name; nothing where the start does not ask for it."""
    spec = lab.starts[start]
    if EXCHANGES not in spec.probes:
        return {}
    path = Path(lab.root) / "inputs.py"
    makers = dict(marked(path, "makes")) if path.is_file() else {}
    made: dict[str, tuple[Request, ...]] = {}
    for name in spec.options.get(EXCHANGES, {}).get("send", tuple(makers)):
        if name not in makers:
            raise LabError("lab_inputs_unknown", path=str(path), start=start, name=name, near=near_miss(name, makers))
        chance = random.Random(f"{seed}:{start}:{name}")
        try:
            made[name] = tuple(Request.model_validate(one) for one in makers[name](chance))
        except Exception as error:  # a bug of the lab's, whatever it is
            facts = {"exception": type(error).__name__, "problem": str(error)[:300]}
            raise LabError("lab_inputs_fail", path=str(path), name=name, **facts) from error
    if sum(map(len, made.values())) > MOST_REQUESTS:
        raise LabError("lab_inputs_many", path=str(path), start=start, limit=MOST_REQUESTS)
    return made


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
    starts: tuple[Start, ...] = (),
    executions: tuple[str, ...] = (),
    artifacts: tuple[str, ...] = (),
) -> Plan:
    made = Plan(
        lab=lab.id,
        problem=problem,
        dockerfile=facts,
        build=build,
        starts=starts,
        executions=executions,
        artifacts=artifacts,
        rebuild=rebuild,
        kept_decoys=decoys,
        limits=lab.limits,
        seed=seed,
        digest="",
    )
    return made.model_copy(update={"digest": "sha256:" + hashlib.sha256(made.model_dump_json().encode()).hexdigest()})
