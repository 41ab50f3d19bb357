"""Evidence of lab 05 made by hand: of a submission that deserves all points, and the changes that take some away."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grader.judging import judge
from grader.lab import load_lab
from grader.records import Evidence, Json, Verdict

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
