"""The rubric of lab 05: each function turns evidence into full points, a share of them, or a cause.

Bytes that a student could have written (answers, texts, bets) are validated here and can only raise `Fail`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from grader.checks import Fail, Remark, check
from grader.records import Evidence
from grader.stats import ratio_interval, slow_tail

FULL, HALF = 1.5, 2.5  # calibrated cuts, in the gaps between example services (docs: honest speed)
TAIL_FACTORS, TAIL_P, TAIL_MIN = (3.0, 10.0), 0.001, 8
OPENS_PER_LOAD = 2  # one to hash the file, one to load it
GROWTH_MS, GROWTH_SHARE, LOAD_MS_CAP = 1.5, 0.05, 100.0  # the cap: a start that burns CPU cannot raise the bar
FAILURES_ALLOWED = 0.05
SIZE_FACTOR = 1.25
STOP_SECONDS = 10.0
SAMPLE_BYTES = 10_000  # packages ship tiny models and tables of their own
# Upstream support in November 2026; 3.10, the slide's tag, ended in October. A table and no clock: a regrade must agree.
OLDEST, NEWEST = (3, 11), (3, 15)

WEIGHTS = frozenset(
    ".onnx .ort .pkl .pickle .joblib .skops .pt .pth .ckpt .safetensors .h5 .hdf5 .keras .pb .tflite .gguf .npz .npy".split()
)
DATA = frozenset(".csv .tsv .parquet .feather .arrow .xlsx .xls .sqlite .sqlite3 .jsonl .ipynb".split())
SECRET_NAMES = frozenset("id_rsa id_dsa id_ecdsa id_ed25519 .netrc .pypirc .npmrc .git-credentials credentials.json".split())
SECRET_SUFFIXES = frozenset(".pem .key .p12 .pfx".split())
SECRET_FOLDERS = frozenset(".git .ssh .aws".split())
PUBLIC_CERTIFICATES = ("etc/ssl/certs/", "usr/share/ca-certificates/", "usr/local/share/ca-certificates/")


@check("build")
def build(evidence: Evidence) -> None:
    """The image builds without network from the course base."""
    result = evidence["build"]["result"]
    if not result["ok"]:
        unknown = dict.fromkeys(("path", "package", "available", "command", "user"), "?")
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
    faults = [fault for fault in (_fault(answer, answers["tolerance"]) for answer in answers["asked"]) if fault]
    if faults:
        cause, facts = faults[0]
        raise Fail(cause, wrong=len(faults), asked=len(answers["asked"]), **facts)
    if not answers["asked"]:
        raise ValueError("no hidden input was sent")


def _fault(answer: dict[str, Any], tolerance: float) -> tuple[str, dict[str, Any]] | None:
    """The cause why one answer is wrong, with facts that give no hidden value away."""
    if answer["problem"]:
        return "no_answer", {"problem": answer["problem"]}
    if answer["status"] != 200:
        return "status", {"status": answer["status"]}
    body, expected = answer["json"], answer["expected"]
    if not isinstance(body, dict):
        return "shape", {"field": "body"}
    label, numbers = body.get("label"), _numbers(body.get("probabilities"))
    if isinstance(label, bool) or not isinstance(label, int):
        return "shape", {"field": "label"}
    if numbers is None:
        return "shape", {"field": "probabilities"}
    if body.get("model") != expected["model"]:
        return "model_field", {}
    if label != expected["label"]:
        return "label", {}
    gap = max(abs(got - right) for got, right in zip(numbers, expected["probabilities"], strict=True))
    return ("probabilities", {}) if gap > tolerance else None


def _numbers(value: Any) -> list[float] | None:
    """Ten finite floats, or None: JSON of a stranger may hold anything."""
    if not isinstance(value, list) or len(value) != 10:
        return None
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in value):
        return None
    if not all(-1e6 < number < 1e6 for number in value):
        return None
    return [float(number) for number in value]


@check("load.once")
def load_once(evidence: Evidence) -> Remark | None:
    """No request opens the model file after warm-up, and a request costs the same CPU when the model is 32 MiB larger."""
    normal, padded = evidence["normal"]["model_loads"], evidence["padded"]["model_loads"]
    for loads in (normal, padded):
        _answered(loads["failures"], loads["requests"]["warm"] + loads["requests"]["measured"])
        _quiet_after_warm_up(loads)
    growth = padded["cpu_ms"] - normal["cpu_ms"]
    load_cost = min(padded["cpu_ms_ready"] - normal["cpu_ms_ready"], LOAD_MS_CAP)
    if growth > max(GROWTH_MS, GROWTH_SHARE * load_cost):
        raise Fail("cpu_grows", normal=round(normal["cpu_ms"], 2), padded=round(padded["cpu_ms"], 2), pad=padded["pad_mib"])
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
    interval = ratio_interval(turns)
    facts = {"ratio": round(interval.median, 2), "low": round(interval.low, 2), "high": round(interval.high, 2)}
    if interval.low > HALF:
        raise Fail("slow", **facts)
    for factor in TAIL_FACTORS:
        tail = slow_tail(turns, factor)
        # No half points: a user meets the stall again and again, and the median, which half points go by, cannot see it.
        if tail.student_hits >= TAIL_MIN and tail.p_value < TAIL_P:
            hits = {"hits": tail.student_hits, "yardstick_hits": tail.yardstick_hits, "factor": int(factor)}
            raise Fail("tail", **hits)
    if interval.high <= FULL:
        return None
    if interval.low <= FULL:
        return Remark("border", facts=facts)
    if interval.high <= HALF:
        raise Fail("slow_half", share=0.5, **facts)
    return Remark("border_half", share=0.5, facts=facts)


@check("cache.order")
def cache_order(evidence: Evidence) -> None:
    """After one source file changed, the rebuild takes the dependency layer from the cache."""
    result = evidence["rebuild"]["result"]
    if not result["ok"]:
        raise Fail("rebuild_failed", problem=result["problem"])
    if not result["before"]:
        raise Fail("no_layer")
    keys = ("diff_id", "created", "created_by", "size")  # created tells a re-run that happened to write equal bytes
    dependencies = max(result["before"], key=lambda layer: layer["size"])
    if not any(all(layer[key] == dependencies[key] for key in keys) for layer in result["after"]):
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
        path = PurePosixPath(file["path"].lstrip("/"))
        kind = _unwanted(path, file["size"])
        if kind:
            raise Fail(kind, path=str(path), size=file["size"])


def _unwanted(path: PurePosixPath, size: int) -> str | None:
    suffix, folders = path.suffix.lower(), set(path.parts[:-1])
    if folders & SECRET_FOLDERS or path.name in SECRET_NAMES or _is_environment(path.name):
        return "secret"
    certificate = str(path).startswith(PUBLIC_CERTIFICATES) or path.name.startswith(("cacert", "ca-"))
    if suffix in SECRET_SUFFIXES and not certificate:
        return "secret"
    if size < SAMPLE_BYTES:
        return None
    if suffix in WEIGHTS:
        return "weights"
    return "data" if suffix in DATA and "tests" not in folders else None  # numpy's tests bring tables


def _is_environment(name: str) -> bool:
    """Whether `name` is a dotenv file with values: samples made to be shared are not."""
    return name == ".env" or (name.startswith(".env.") and not name.endswith((".example", ".sample", ".template")))


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
    lines = list(_requirements(texts, "requirements.txt", ()))
    if not lines:
        raise Fail("no_requirements")
    for number, line in lines:
        if not _pinned(line):
            raise Fail("loose", line=number, requirement=line[:80])


def _requirements(texts: dict[str, str], name: str, above: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line number and text of each requirement; options are left out, included files are read."""
    waiting, first = "", 0
    for number, raw in enumerate([*texts[name].splitlines(), ""], 1):
        first = first if waiting else number
        line = re.sub(r"(^|\s)#.*", "", raw).rstrip()
        if line.endswith("\\"):
            waiting += line[:-1] + " "
            continue
        line, waiting = (waiting + line).strip(), ""
        include = re.match(r"(?:-r|--requirement)[ =]*(\S+)", line)
        if include:
            inner = include[1].removeprefix("./")
            if inner not in texts or inner in (*above, name):
                raise Fail("include", line=first, path=inner[:80])
            yield from _requirements(texts, inner, (*above, name))
        elif line and (not line.startswith("-") or re.match(r"-e|--editable", line)):
            yield first, line


def _pinned(line: str) -> bool:
    if re.search(r"\s--hash[= ]sha(256|384|512):[0-9a-f]{64,}", line):
        return True
    requirement = re.split(r"\s--|;", line, maxsplit=1)[0]
    named = re.match(r"[A-Za-z0-9][\w.-]*?\s*(?:\[[^\]]*\])?\s*\(?\s*((?:[=<>!~]).*?)\)?\s*$", requirement)
    return bool(named) and any(re.fullmatch(r"\s*={2,3}\s*[^\s*]+\s*", part) for part in named[1].split(","))


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
