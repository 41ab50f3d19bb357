"""Lab 05 judged on made-up evidence: every cause is reached by the fault that it names, and by nothing else."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.judging import judge
from grader.lab import load_lab
from grader.lint import lint_lab
from grader.probes import PROBES
from grader.records import Evidence, Json, Verdict
from grader.words import placeholders
from tests.odd import disturbed

ROOT = Path(__file__).parents[1]
LAB = load_lab(ROOT / "labs" / "05-docker")
SOLUTION = ROOT / "solutions" / "05-docker"
TEXTS = ("requirements.txt", "RUN.md", "answers.json", "Dockerfile", ".dockerignore")

Sections = dict[str, dict[str, Any]]
Change = Callable[[Sections], object]


def turns(ratio: float, *, stalls: int = 0, count: int = 150) -> list[Json]:
    """Turns whose student side takes `ratio` times as long, `stalls` of its requests forty times as long."""
    chance = random.Random(5)
    rows = [
        {
            "first": "student",
            "student": [ratio * chance.uniform(0.95, 1.05) for _ in range(4)],
            "yardstick": [chance.uniform(0.95, 1.05) for _ in range(4)],
        }
        for _ in range(count)
    ]
    for number in range(stalls):
        rows[number * count // stalls]["student"][number % 4] *= 40  # type: ignore[index]
    return rows


def on_a_busy_machine(stalls: int) -> list[Json]:
    """Both sides are late by fifteen times now and then, and the student's side by forty times `stalls` times."""
    rows = turns(1.0, stalls=stalls)
    for number in range(1, 150, 5):
        rows[number]["student"][1] = rows[number]["yardstick"][2] = 15.0  # type: ignore[index]
    return rows


def wavering(low: float, high: float) -> list[Json]:
    """Turns that cannot decide between two ratios."""
    return [
        {"first": "student", "student": [ratio] * 4, "yardstick": [1.0] * 4}
        for ratio in random.Random(7).choices((low, high), k=60)
    ]


def loads(**changes: Json) -> dict[str, Json]:
    return {
        "method": "inotify", "start": 1, "warm": 0, "measured": 0, "changed": None,
        "requests": {"warm": 64, "measured": 80}, "failures": 0, "cpu_ms": 0.7, "cpu_method": "cgroup",
        "cpu_ms_ready": 600.0, "workers": 1, "pad_mib": 0,
    } | changes  # fmt: skip


def person(uid: int, moment: str = "ready") -> dict[str, Json]:
    return {"moment": moment, "pid": 7, "name": "python", "uids": [uid] * 3}


def layer(name: str, size: int, created: float) -> dict[str, Json]:
    return {"diff_id": f"sha256:{name}", "size": size, "created": created, "created_by": f"RUN {name}", "own": True}


def answer() -> dict[str, Any]:
    body = {"label": 3, "probabilities": [0.1] * 10, "model": "0123456789ab"}
    return {"status": 200, "json": body, "problem": None, "ms": 1.0, "expected": copy.deepcopy(body)}


def good() -> Sections:
    """Evidence of a submission that deserves all points."""
    ready = {"ok": True, "problem": None, "exit_code": None, "oom": False, "profile": "hardened", "log": ""}
    layers = [layer("deps", 190_000_000, 10.0), layer("app", 9_000, 20.0)]
    stages = [{"line": 1, "base": "python:3.11-slim", "name": None, "earlier": False}]
    return {
        "submission": {
            "files": [{"path": path, "size": 9, "sha256": ""} for path in (*TEXTS, "app/main.py")],
            "texts": {name: (SOLUTION / name).read_text(encoding="utf-8") for name in TEXTS},
            "dockerfile": {"path": "Dockerfile", "stages": stages, "instructions": []},
            "decoys": {"planted": list(LAB.collect.decoys), "kept": []},
        },
        "build": {"result": {"ok": True, "problem": None, "line": None, "instruction": None, "facts": {}}},
        "image": {
            "sizes": {"own": 190_000_000, "yardstick_own": 190_000_000, "total": 480_000_000},
            "files": {"method": "overlay", "files": [{"layer": 1, "path": "srv/app/main.py", "size": 2_000}]},
        },
        "normal": {
            "ready": dict(ready),
            "answers": {"asked": [answer() for _ in range(5)]},
            "processes": [person(10001), person(10001, "loaded")],
            "model_loads": loads(),
            "latency": {"turns": turns(1.0), "requests_per_turn": 4, "failures": 0, "disagreements": 0},
        },
        "padded": {"ready": dict(ready), "model_loads": loads(cpu_ms_ready=640.0, pad_mib=32)},
        "default_caps": {"ready": dict(ready), "processes": [person(10001)]},
        "init_off": {
            "ready": dict(ready),
            "stop": {"answered": True, "status": 200, "exit_code": 0, "seconds": 1.2, "killed": False},
        },
        "rebuild": {
            "result": {"ok": True, "touched": "app/main.py", "began": 100.0, "before": layers, "after": layers[:1]}
        },
    }  # fmt: skip


def judged(change: Change | None = None, engine: str | None = "fake") -> dict[str, Verdict]:
    sections = good()
    if change is not None:
        change(sections)
    sections = {name: data for name, data in sections.items() if data}
    return {one.item: one for one in judge(LAB, Evidence(lab=LAB.id, sections=sections, engine=engine, seed=1))}


def put(*path: Any, value: Any) -> Change:
    """A change that sets one value deep in the evidence."""

    def change(sections: Sections) -> None:
        place: Any = sections
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


def merge(*path: Any, **values: Any) -> Change:
    def change(sections: Sections) -> None:
        place: Any = sections
        for key in path:
            place = place[key]
        place.update(values)

    return change


def text(name: str, value: str) -> Change:
    return put("submission", "texts", name, value=value)


def no_text(name: str) -> Change:
    return lambda sections: sections["submission"]["texts"].pop(name)


def base(tag: str) -> Change:
    return put("submission", "dockerfile", "stages", 0, "base", value=tag)


def not_ready(problem: str, **more: Json) -> Change:
    def change(sections: Sections) -> None:
        sections["normal"] = {"ready": {"ok": False, "problem": problem, "exit_code": None, "oom": False} | more}

    return change


def not_built(problem: str, **facts: Json) -> Change:
    def change(sections: Sections) -> None:
        for name in ("image", "normal", "padded", "default_caps", "init_off", "rebuild"):
            sections[name] = {}
        result = {"ok": False, "problem": problem, "line": 4, "instruction": "COPY a b", "facts": facts}
        sections["build"] = {"result": result}

    return change


def wrong(**values: Any) -> Change:
    return merge("normal", "answers", "asked", 2, "json", **values)


def image_file(path: str, size: int = 20_000) -> Change:
    return put("image", "files", "files", value=[{"layer": 1, "path": path, "size": size}])


def timed(rows: list[Json], **more: Json) -> Change:
    return merge("normal", "latency", turns=rows, **more)


FORM = json.loads((SOLUTION / "answers.json").read_text(encoding="utf-8"))

FAULTS: list[tuple[str, str, Change]] = [
    *[("build", problem, not_built(problem)) for problem in LAB.item("build").causes],
    *[("serve", problem, not_ready(problem)) for problem in
      ("exited", "not_listening", "loopback_only", "wrong_port", "unhealthy")],
    ("serve", "oom", not_ready("exited", oom=True, exit_code=137)),
    ("serve", "no_answer", merge("normal", "answers", "asked", 2, status=None, json=None, problem="timeout")),
    ("serve", "status", merge("normal", "answers", "asked", 2, status=500, json=None)),
    ("serve", "shape", put("normal", "answers", "asked", 2, "json", value=[1])),
    ("serve", "shape", wrong(label=True)),
    ("serve", "shape", wrong(label="3")),
    ("serve", "shape", wrong(probabilities=[0.1] * 9)),
    ("serve", "shape", wrong(probabilities=[[0.1] * 10])),
    ("serve", "shape", wrong(probabilities=[10**400] * 10)),
    ("serve", "shape", wrong(probabilities=[True] * 10)),
    ("serve", "model_field", wrong(model={"a": 1})),
    ("serve", "label", wrong(label=4)),
    ("serve", "probabilities", wrong(probabilities=[0.1] * 9 + [0.1002])),
    ("load.once", "unanswered", put("padded", "model_loads", value=loads(failures=30))),
    ("load.once", "opens", put("normal", "model_loads", value=loads(warm=64, measured=80))),
    ("load.once", "opens", put("padded", "model_loads", value=loads(warm=6, measured=8))),
    ("load.once", "changed", put("normal", "model_loads", value=loads(method="swap", start=None, warm=None,
                                                                      measured=None, changed=19))),
    ("load.once", "cpu_grows", put("padded", "model_loads", value=loads(cpu_ms=3.9, cpu_ms_ready=640.0))),
    ("load.once", "cpu_grows", put("padded", "model_loads", value=loads(cpu_ms=40.0, cpu_ms_ready=9000.0))),
    ("nonroot", "root", put("normal", "processes", value=[person(10001), person(0, "before_stop")])),
    ("nonroot", "root", put("normal", "processes", value=[{**person(10001), "uids": [10001, 10001, 0]}])),
    ("nonroot", "root_default_caps", put("default_caps", "processes", value=[person(0)])),
    ("latency", "unanswered", timed(turns(1.0, count=5), failures=20)),
    ("latency", "disagrees", timed(turns(1.0), disagreements=150)),
    ("latency", "slow", timed(turns(5.0))),
    ("latency", "tail", timed(turns(1.0, stalls=18))),
    ("latency", "tail", timed(on_a_busy_machine(stalls=18))),
    ("cache.order", "no_source", lambda sections: sections.pop("rebuild")),
    ("cache.order", "rebuild_failed", merge("rebuild", "result", ok=False, problem="failed")),
    ("cache.order", "no_layer", merge("rebuild", "result", before=[], after=[])),
    ("cache.order", "rebuilt", merge("rebuild", "result", after=[layer("deps", 190_000_000, 195.0)])),
    ("image.size", "too_large", put("image", "sizes", "own", value=240_000_000)),
    ("image.clean", "weights", image_file("srv/digits.onnx")),
    ("image.clean", "data", image_file("srv/data/train.csv")),
    ("image.clean", "secret", image_file("srv/.env", 12)),
    ("ctx.ignore", "no_ignore", no_text(".dockerignore")),
    ("ctx.ignore", "kept", text(".dockerignore", ".git\n*.pkl\n")),
    ("ctx.ignore", "app_ignored", text(".dockerignore", "**\n")),
    ("df.base", "no_dockerfile", put("submission", "dockerfile", value=None)),
    *[("df.base", "no_version", base(tag)) for tag in
      ("python", "python:latest", "python:slim", "python:3-slim", "python@sha256:00")],
    *[("df.base", "unsupported", base(tag)) for tag in ("python:3.10-slim", "python:2.7-slim", "python:3.99-slim")],
    *[("df.base", "not_slim", base(tag)) for tag in ("python:3.11", "python:3.11-bookworm", "python:3.12-alpine")],
    ("deps.pinned", "no_requirements", no_text("requirements.txt")),
    ("deps.pinned", "no_requirements", text("requirements.txt", "# nothing yet\n--no-index\n")),
    ("deps.pinned", "include", text("requirements.txt", "-r more.txt\n")),
    ("deps.pinned", "loose", text("requirements.txt", "fastapi==0.165.0\nnumpy>=2\n")),
    ("stop", "killed", merge("init_off", "stop", killed=True, exit_code=None, seconds=10.1)),
    ("stop", "dropped", merge("init_off", "stop", answered=False, status=None)),
    ("stop", "exit_code", merge("init_off", "stop", exit_code=1)),
    ("bets", "no_answers", no_text("answers.json")),
    *[("bets", "form", text("answers.json", value)) for value in
      ("{}", "[]", "null", "{", "[" * 50_000, json.dumps({**FORM, "bets": {**FORM["bets"], "rebuild_s": None}}),
       json.dumps({**FORM, "bets": {**FORM["bets"], "rebuild_s": float("inf")}}), json.dumps({**FORM, "more": 1}),
       json.dumps({**FORM, "reasons": dict.fromkeys(FORM["reasons"], "because")}))],
    ("bets", "no_run_md", no_text("RUN.md")),
    ("bets", "run_md", text("RUN.md", "# Run\n\n## Build\n\n`docker build .`\n")),
]  # fmt: skip


def test_a_good_submission_loses_a_point() -> None:
    verdicts = judged()
    assert {item: verdict.outcome for item, verdict in verdicts.items()} == {item.id: "passed" for item in LAB.items}
    assert {verdict.cause for verdict in verdicts.values()} == {None}


@pytest.mark.parametrize(("item", "cause", "change"), FAULTS, ids=[f"{item}-{cause}" for item, cause, _ in FAULTS])
def test_a_fault_is_missed_misnamed_or_spills_over(item: str, cause: str, change: Change) -> None:
    verdicts = judged(change)
    assert (verdicts[item].outcome, verdicts[item].cause) == ("failed", cause)
    others = {name for name, verdict in verdicts.items() if verdict.outcome not in ("passed", "blocked")}
    gone = {"build"} & {item}  # without an image the empty folder's other faults are not in this evidence
    assert others - gone == {item} - gone
    words = LAB.item(item).causes[cause]
    assert placeholders(words.en) | placeholders(words.fr) <= set(verdicts[item].facts)


def test_a_cause_that_costs_points_has_no_fault_that_reaches_it() -> None:
    reached = {(item, cause) for item, cause, _ in FAULTS} | {("latency", "slow_half"), ("latency", "border_half")}
    written = {(item.id, cause) for item in LAB.items for cause, words in item.causes.items() if words.hints}
    assert written == reached


PARTS: list[tuple[str, str, str, float, Change]] = [
    ("latency", "partial", "slow_half", 0.5, timed(turns(2.0))),
    ("latency", "passed", "border", 1.0, timed(wavering(1.6, 1.8))),
    ("latency", "partial", "border_half", 0.5, timed(wavering(3.8, 4.2))),
    ("load.once", "passed", "lazy", 1.0, put("padded", "model_loads", value=loads(start=0, warm=2))),
    ("nonroot", "passed", "silent_with_default_caps", 1.0, put("default_caps", value={"ready": {"ok": False}})),
]


@pytest.mark.parametrize(("item", "outcome", "cause", "share", "change"), PARTS, ids=[part[2] for part in PARTS])
def test_a_doubt_is_not_told_or_costs_too_much(
    item: str, outcome: str, cause: str, share: float, change: Change
) -> None:
    verdict = judged(change)[item]
    assert (verdict.outcome, verdict.cause, verdict.share) == (outcome, cause, share)
    assert placeholders(LAB.item(item).causes[cause].en) <= set(verdict.facts)


HARMLESS: list[tuple[str, Change]] = [
    (
        "load.once",
        put("normal", "model_loads", value=loads(workers=3, start=0, warm=2, measured=2)),
    ),  # a late lazy worker
    ("load.once", put("padded", "model_loads", value=loads(cpu_ms=1.9))),
    ("stop", merge("init_off", "stop", exit_code=143)),
    ("image.clean", image_file("usr/local/etc/cacert.pem")),
    ("image.clean", image_file("opt/deps/numpy/tests/data/table.csv")),
    ("image.clean", image_file("opt/deps/onnxruntime/sample.onnx", 400)),
    ("image.clean", image_file("srv/.env.example", 90)),
    ("df.base", base("docker.io/library/python:3.14.1-slim-bookworm@sha256:00")),
    ("ctx.ignore", text(".dockerignore", "*\n!app/**/*.py\n!requirements.txt\n")),
    ("latency", timed(turns(1.3, stalls=3))),
    ("latency", timed(on_a_busy_machine(stalls=5))),
    ("bets", text("RUN.md", "# Construire\n    a\n# Lancer\n`b`\n# Vérifier\n~~~\nc\n~~~\n# Arrêter\n\td\n")),
]


@pytest.mark.parametrize(("item", "change"), HARMLESS)
def test_honest_work_of_another_shape_is_punished(item: str, change: Change) -> None:
    assert judged(change)[item].outcome == "passed"


def test_a_heavy_builder_stage_costs_the_point_for_the_slim_image_that_ships() -> None:
    heavy = {"line": 1, "base": "python:3.11-bookworm", "name": "build", "earlier": False}
    slim = {"line": 4, "base": "python:3.11-slim", "name": None, "earlier": False}
    child = {"line": 4, "base": "build", "name": None, "earlier": True}
    stages = ("submission", "dockerfile", "stages")
    assert judged(put(*stages, value=[heavy, slim]))["df.base"].outcome == "passed"
    assert judged(put(*stages, value=[heavy, child]))["df.base"].cause == "not_slim"


def test_a_start_that_burns_cpu_hides_a_reload() -> None:
    change = put("padded", "model_loads", value=loads(cpu_ms=30.0, cpu_ms_ready=60_000.0))
    assert judged(change)["load.once"].cause == "cpu_grows"


def test_without_an_engine_points_are_invented_or_lost() -> None:
    def strip(sections: Sections) -> None:
        for name in [name for name in sections if name != "submission"]:
            del sections[name]

    outcomes = {item: verdict.outcome for item, verdict in judged(strip, engine=None).items()}
    static = {"ctx.ignore", "df.base", "deps.pinned", "bets"}
    assert {item for item, outcome in outcomes.items() if outcome == "passed"} == static
    assert {outcome for item, outcome in outcomes.items() if item not in static} == {"skipped"}


def test_a_quick_service_pays_for_the_noise_of_the_machine() -> None:
    """The same stalls of 1.5 ms hit both sides; only at the quick side's own pace are they three times the usual."""
    rows = turns(0.4)
    for number, row in enumerate(rows):
        if number % 4 == 0:
            for side in ("student", "yardstick"):
                row[side][0] += 1.5
    assert judged(timed(rows))["latency"].outcome == "passed"


def test_no_process_seen_passes_for_no_root() -> None:
    assert judged(put("normal", "processes", value=[]))["nonroot"].outcome == "error"


def test_hidden_values_are_told() -> None:
    for change in (wrong(label=4), wrong(probabilities=[0.9] * 10), wrong(model="x")):
        assert set(judged(change)["serve"].facts) == {"wrong", "asked"}


def test_the_rubric_and_its_words_do_not_fit() -> None:
    assert lint_lab(LAB, frozenset(PROBES)) == ()
    assert LAB.max_score == 20


def test_the_form_and_its_schema_part_ways() -> None:
    schema = json.loads((ROOT / "labs" / "05-docker" / "answers.schema.json").read_text(encoding="utf-8"))
    names = set(schema["properties"]["bets"]["properties"])
    assert set(schema["required"]) == set(FORM)
    assert names == set(schema["properties"]["reasons"]["required"]) == set(FORM["bets"])
    assert schema["$defs"]["sentence"]["minLength"] == 15
    fifteen = {**FORM, "reasons": dict.fromkeys(names, "a" * 15)}
    assert judged(text("answers.json", json.dumps(fifteen)))["bets"].outcome == "passed"
    fourteen = {**FORM, "reasons": dict.fromkeys(names, "a" * 14)}
    assert judged(text("answers.json", json.dumps(fourteen)))["bets"].cause == "form"


def test_the_probe_stops_at_the_thresholds_of_the_check() -> None:
    """A probe that is sure about other cuts than the judge's would leave borderline work undecided."""
    import runpy

    checks = runpy.run_path(str(ROOT / "labs" / "05-docker" / "checks.py"))
    assert LAB.starts["normal"].options["latency"]["thresholds"] == [checks["FULL"], checks["HALF"]]


@pytest.mark.parametrize("said", ["answers", "forecasts"])
def test_an_odd_value_anywhere_in_what_was_said_breaks_no_check(said: str) -> None:
    forecasts = json.loads((SOLUTION / "answers.json").read_text(encoding="utf-8"))
    chance, lost = random.Random(said), 0
    for _ in range(200):

        def change(sections: Sections) -> None:
            asked = sections["normal"]["answers"]["asked"]
            if said == "forecasts":
                sections["submission"]["texts"]["answers.json"] = json.dumps(disturbed(forecasts, chance))
            else:
                asked[2]["json"] = disturbed(asked[2]["json"], chance)

        outcomes = {verdict.outcome for verdict in judged(change).values()}
        assert "error" not in outcomes
        lost += "failed" in outcomes
    assert lost > 100
