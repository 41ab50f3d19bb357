"""The rubric of lab 05: each function turns evidence into full points, a share of them, or a cause.

Bytes that a student could have written (answers, texts, bets) are validated here and can only raise `Fail`.
"""

from __future__ import annotations

import re
from statistics import median
from typing import Any

from grader.checks import Fail, Remark, check
from grader.claims import is_number, is_whole
from grader.dockerfile.ignore import kept
from grader.filenames import kind_of
from grader.forms import forecast_fault, headings_with_commands
from grader.records import Evidence
from grader.requirements import UnreadInclude, requirements
from grader.stats import ratio_interval, slow_tail

# Calibrated, in the gaps between example services (docs/adr/0006); the probe gets the same ones from lab.toml.
FULL, HALF = 1.7, 4.0
# A slow spell of the machine makes several requests late at once: small odds are asked for, smaller near the median.
# On a busy machine both services are late by some ten times, and only what lies beyond tells them apart.
TAILS = ((3.0, 1e-6), (6.0, 1e-5), (10.0, 1e-4), (30.0, 1e-3))
OPENS_PER_LOAD = 2  # one to hash the file, one to load it
GROWTH_MS, GROWTH_SHARE, LOAD_MS_CAP = 1.5, 0.05, 100.0  # the cap: a start that burns CPU cannot raise the bar
FAILURES_ALLOWED = 0.05
SIZE_FACTOR = 1.25
TOLERANCE = 1e-4
STOP_SECONDS = 10.0
# Upstream support in November 2026: 3.10, the tag of the slide, ended in October. No clock: a regrade must agree.
OLDEST, NEWEST = (3, 11), (3, 15)

BETS = ("image_own_mb", "cold_build_s", "rebuild_s", "latency_ratio", "cpu_ms_per_request")
HEADINGS = {
    "Build": ("build", "construire"),
    "Run": ("run", "lancer"),
    "Check": ("check", "vérifier"),
    "Stop": ("stop", "arrêter"),
}


@check("build")
def build(evidence: Evidence) -> None:
    """The image builds without network from the course base."""
    result = evidence["build"]["result"]
    if not result["ok"]:
        unknown = dict.fromkeys(("path", "package", "available", "packages", "command", "user"), "?")
        where = {"line": result.get("line") or "?", "instruction": result.get("instruction") or "?"}
        raise Fail(result["problem"], **{**unknown, **where, **(result.get("facts") or {})})


@check("serve")
def serve(evidence: Evidence) -> None:
    """The hardened container is ready in time and answers the hidden inputs right."""
    ready = evidence["normal"]["ready"]
    if not ready["ok"]:
        exit_code = ready.get("exit_code")
        raise Fail("oom" if ready.get("oom") else ready["problem"], exit_code="?" if exit_code is None else exit_code)
    answers = evidence["normal"]["answers"]
    faults = [fault for fault in map(_fault, answers["asked"]) if fault]
    if faults:
        cause, facts = faults[0]
        raise Fail(cause, wrong=len(faults), asked=len(answers["asked"]), **facts)
    if not answers["asked"]:
        raise ValueError("no hidden input was sent")


def _fault(answer: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The cause why one answer is wrong, with facts that give no hidden value away."""
    if answer["problem"]:
        return "no_answer", {"problem": answer["problem"]}
    if answer["status"] != 200:
        return "status", {"status": answer["status"]}
    body, expected = answer["json"], answer["expected"]
    if not isinstance(body, dict):
        return "shape", {"field": "body"}
    label, numbers = body.get("label"), _numbers(body.get("probabilities"))
    if not is_whole(label):
        return "shape", {"field": "label"}
    if numbers is None:
        return "shape", {"field": "probabilities"}
    if body.get("model") != expected["model"]:
        return "model_field", {}
    if label != expected["label"]:
        return "label", {}
    gap = max(abs(got - right) for got, right in zip(numbers, expected["probabilities"], strict=True))
    return ("probabilities", {}) if gap > TOLERANCE else None


def _numbers(value: Any) -> list[float] | None:
    """Ten finite floats, or None: JSON of a stranger may hold anything."""
    if not isinstance(value, list) or len(value) != 10 or not all(map(is_number, value)):
        return None
    return [float(number) for number in value]


@check("load.once")
def load_once(evidence: Evidence) -> Remark | None:
    """No request opens the model file after warm-up, and a larger model does not make requests dearer."""
    normal, padded = evidence["normal"]["model_loads"], evidence["padded"]["model_loads"]
    for loads in (normal, padded):
        _answered(loads["failures"], loads["requests"]["warm"] + loads["requests"]["measured"])
        _quiet_after_warm_up(loads)
    growth = padded["cpu_ms"] - normal["cpu_ms"]
    load_cost = min(padded["cpu_ms_ready"] - normal["cpu_ms_ready"], LOAD_MS_CAP)
    if growth > max(GROWTH_MS, GROWTH_SHARE * load_cost):
        costs = {"normal": round(normal["cpu_ms"], 2), "padded": round(padded["cpu_ms"], 2)}
        raise Fail("cpu_grows", pad=padded["pad_mib"], **costs)
    lazy = any(loads["start"] == 0 and (loads["warm"] or 0) > 0 for loads in (normal, padded))
    return Remark("lazy") if lazy else None


def _quiet_after_warm_up(loads: dict[str, Any]) -> None:
    requests = loads["requests"]["measured"]
    if loads["method"] == "swap":
        if loads["changed"]:
            raise Fail("changed", changed=loads["changed"], requests=requests)
        return
    measured = loads["measured"]
    explained = OPENS_PER_LOAD * max(1, loads["workers"] or 1)
    # A worker that loads lazily may get its first request only after the warm-up.
    if measured and (loads["start"] or 0) + (loads["warm"] or 0) + measured > explained:
        raise Fail("opens", opens=measured, requests=requests)


def _answered(failures: int, requests: int) -> None:
    if requests and failures > FAILURES_ALLOWED * requests:
        raise Fail("unanswered", failures=failures, requests=requests)


@check("nonroot")
def nonroot(evidence: Evidence) -> Remark | None:
    """No process has real, effective or saved uid 0 at any moment, with or without default capabilities."""
    _no_root(evidence["normal"]["processes"], "root")
    if not evidence["default_caps"]["ready"]["ok"]:
        return Remark("silent_with_default_caps")
    _no_root(evidence["default_caps"]["processes"], "root_default_caps")
    return None


def _no_root(processes: list[dict[str, Any]], cause: str) -> None:
    if not processes:
        raise ValueError("no process was seen")
    for process in processes:
        if 0 in process["uids"]:
            raise Fail(cause, process=process["name"], moment=process["moment"])


@check("latency")
def latency(evidence: Evidence) -> Remark | None:
    """The paired ratio to the yardstick is low, and no tail of stalls hides behind the median."""
    data = evidence["normal"]["latency"]
    turns = data["turns"]
    _answered(data["failures"], data["failures"] + len(turns) * data["requests_per_turn"])
    if data["disagreements"] > FAILURES_ALLOWED * len(turns):
        raise Fail("disagrees", turns=data["disagreements"], of=len(turns))
    interval = ratio_interval(turns)
    facts = {"ratio": round(interval.median, 2), "low": round(interval.low, 2), "high": round(interval.high, 2)}
    if interval.low > HALF:
        raise Fail("slow", **facts)
    for factor, odds in TAILS:
        tail = slow_tail(_no_quicker(turns), factor)
        # No half points: they go by the median, and the median cannot see the stall that users meet again and again.
        if tail.p_value < odds:
            hits = {"hits": tail.student_hits, "yardstick_hits": tail.yardstick_hits, "factor": int(factor)}
            raise Fail("tail", **hits)
    if interval.high <= FULL:
        return None
    if interval.low <= FULL:
        return Remark("border", facts=facts)
    if interval.high <= HALF:
        raise Fail("slow_half", share=0.5, **facts)
    return Remark("border_half", share=0.5, facts=facts)


def _no_quicker(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The turns, a quicker service counted as the yardstick's equal: at its own pace the machine's noise is a stall."""
    pace = median(ms for turn in turns for ms in turn["yardstick"])
    return [{**turn, "student": [max(ms, pace) for ms in turn["student"]]} for turn in turns]


@check("cache.order")
def cache_order(evidence: Evidence) -> None:
    """After one source file changed, the rebuild takes the dependency layer from the cache."""
    if evidence.engine and "result" in evidence["build"] and "result" not in evidence["rebuild"]:
        raise Fail("no_source")
    result = evidence["rebuild"]["result"]
    if not result["ok"]:
        raise Fail("rebuild_failed", problem=result["problem"])
    if not result["before"]:
        raise Fail("no_layer")
    dependencies = max(result["before"], key=lambda layer: layer["size"])
    same = [layer for layer in result["after"] if layer["created_by"] == dependencies["created_by"]]
    # Younger than the rebuild's begin means run again, even when it happened to write equal bytes. Another id is no
    # proof: of two equal images on an engine the cache may take either.
    if not any(layer["size"] == dependencies["size"] and layer["created"] <= result["began"] for layer in same):
        raise Fail("rebuilt", touched=result["touched"], size=_mb(dependencies["size"]))


@check("image.size")
def image_size(evidence: Evidence) -> None:
    """The image's own layers weigh at most 1.25 times the yardstick's."""
    sizes = evidence["image"]["sizes"]
    limit = SIZE_FACTOR * sizes["yardstick_own"]
    if sizes["own"] > limit:
        raise Fail("too_large", own=_mb(sizes["own"]), limit=_mb(limit))


def _mb(size: float) -> int:
    return round(size / 1e6)


@check("image.clean")
def image_clean(evidence: Evidence) -> None:
    """No own layer holds weights, data or secrets, files that a later layer deletes included."""
    for file in evidence["image"]["files"]["files"]:
        kind = kind_of(file["path"], file["size"])
        if kind:
            raise Fail(kind, path=file["path"].lstrip("/"), size=file["size"])


@check("ctx.ignore")
def ctx_ignore(evidence: Evidence) -> None:
    """The ignore file stops every planted file and lets the service through."""
    submission = evidence["submission"]
    texts, planted = submission["texts"], submission["decoys"]["planted"]
    name = next((name for name in ("Dockerfile.dockerignore", ".dockerignore") if name in texts), None)
    if name is None:
        raise Fail("no_ignore")
    sent = kept(texts[name], [*planted, *(file["path"] for file in submission["files"])])
    unwanted = [path for path in planted if path in sent]
    if unwanted:
        raise Fail("kept", count=len(unwanted), planted=len(planted), path=unwanted[0])
    if "requirements.txt" not in sent or not any(path.endswith(".py") for path in sent):
        raise Fail("app_ignored")


@check("df.base")
def df_base(evidence: Evidence) -> None:
    """Every stage names a supported Python exactly, and the stage that ships is slim."""
    dockerfile = evidence["submission"]["dockerfile"]
    if not dockerfile or not dockerfile["stages"]:
        raise Fail("no_dockerfile")
    stages = dockerfile["stages"]
    for stage in stages:
        if not stage["earlier"]:
            _supported(stage)
    shipped = _root_stage(stages, len(stages) - 1)
    # The slide's own advice is to compile in a heavy image: only what ships must be slim.
    if "slim" not in _tag(shipped["base"]).split("-"):
        raise Fail("not_slim", base=shipped["base"], line=shipped["line"])


def _supported(stage: dict[str, Any]) -> None:
    version = re.match(r"(\d{1,3})\.(\d{1,3})(?:\.\d+)?(?:-|$)", _tag(stage["base"]))
    if not version:
        raise Fail("no_version", base=stage["base"], line=stage["line"])
    if not OLDEST <= (int(version[1]), int(version[2])) <= NEWEST:
        raise Fail("unsupported", base=stage["base"], line=stage["line"], oldest=".".join(map(str, OLDEST)))


def _root_stage(stages: list[dict[str, Any]], index: int) -> dict[str, Any]:
    """The stage with an outside base that stage `index` grows from; names are looked up upwards only, so it ends."""
    stage = stages[index]
    if not stage["earlier"]:
        return stage
    names = [(number, stages[number]["name"]) for number in range(index)]
    wanted = stage["base"].lower()
    parents = [number for number, name in names if (name or "").lower() == wanted or str(number) == wanted]
    return _root_stage(stages, parents[-1]) if parents else stages[0]


def _tag(base: str) -> str:
    """The tag of `registry:5000/name:tag@digest`, or an empty text."""
    return base.partition("@")[0].rpartition("/")[2].partition(":")[2]


@check("deps.pinned")
def deps_pinned(evidence: Evidence) -> None:
    """Every requirement is exact or hashed, those of included files too."""
    texts = evidence["submission"]["texts"]
    if "requirements.txt" not in texts:
        raise Fail("no_requirements")
    try:
        asked = list(requirements(texts, "requirements.txt"))
    except UnreadInclude as include:
        raise Fail("include", line=include.line, path=include.path[:80]) from include
    if not asked:
        raise Fail("no_requirements")
    for requirement in asked:
        if not requirement.pinned:
            raise Fail("loose", line=requirement.line, requirement=requirement.text[:80])


@check("stop")
def stop(evidence: Evidence) -> None:
    """SIGTERM during a request: it is answered, and the service ends by itself in time."""
    end = evidence["init_off"]["stop"]
    if end["killed"] or end["seconds"] > STOP_SECONDS:
        raise Fail("killed", seconds=round(STOP_SECONDS))
    if not end["answered"] or end["status"] != 200:
        raise Fail("dropped")
    if end["exit_code"] not in (0, 143):
        raise Fail("exit_code", exit_code=end["exit_code"])


@check("bets")
def bets(evidence: Evidence) -> None:
    """`answers.json` keeps the form of answers.schema.json and `RUN.md` has a command under each heading."""
    texts = evidence["submission"]["texts"]
    if "answers.json" not in texts:
        raise Fail("no_answers")
    fault = forecast_fault(texts["answers.json"], evidence.lab, BETS)
    if fault:
        raise Fail("form", field=fault)
    if "RUN.md" not in texts:
        raise Fail("no_run_md")
    written = headings_with_commands(texts["RUN.md"])
    for name, words in HEADINGS.items():
        if not any(word in heading for heading in written for word in words):
            raise Fail("run_md", heading=name)
