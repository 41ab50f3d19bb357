"""Lab 05 judged on made-up evidence: every cause is reached by the fault that it names, and by nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from grader.lint import lint_lab
from grader.probes import PROBES
from grader.words import placeholders
from tests.lab05_evidence import (
    FORM,
    LAB,
    ROOT,
    Change,
    Sections,
    answer,
    base,
    image_file,
    judged,
    layer,
    loads,
    merge,
    no_text,
    not_built,
    not_ready,
    on_a_busy_machine,
    person,
    put,
    text,
    timed,
    turns,
    wavering,
    wrong,
)
from tests.odd import disturbed

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


SAID: list[tuple[Any, Callable[[Any], Change]]] = [
    (answer()["json"], lambda odd: put("normal", "answers", "asked", 2, "json", value=odd)),
    (FORM, lambda odd: text("answers.json", json.dumps(odd))),
]


@pytest.mark.parametrize(("said", "saying"), SAID, ids=["answers", "forecasts"])
def test_an_odd_value_anywhere_in_what_was_said_breaks_no_check(said: Any, saying: Callable[[Any], Change]) -> None:
    chance, lost = random.Random(5), 0
    for _ in range(200):
        outcomes = {verdict.outcome for verdict in judged(saying(disturbed(said, chance))).values()}
        assert "error" not in outcomes
        lost += "failed" in outcomes
    assert lost > 100
