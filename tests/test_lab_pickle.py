"""Lab 01: its hostile files are inert and fair, and its checks survive whatever a submission says."""

from __future__ import annotations

import hashlib
import io
import json
import pickletools
import runpy
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from grader.checks import Check, Fail, Given
from grader.modules import marked
from grader.records import Evidence
from tests.odd import disturbed

LAB = Path(__file__).resolve().parents[1] / "labs" / "01-pickle"
SOLUTION = LAB.parents[1] / "solutions" / "01-pickle"
KIT = runpy.run_path(str(LAB / "private" / "pickles.py"))
HOSTILE = ("direct", "instance", "stack_global", "memoised", "hidden_in_dict", "in_archive")
BENIGN = ("plain", "ordered", "array", "state_dict")
SCANS = ("scan.flags", "scan.clean", "scan.noexec")


def streams(data: bytes) -> list[bytes]:
    if not data.startswith(b"PK"):
        return [data]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [archive.read("archive/data.pkl")]


def maker(name: str) -> Callable[[Random], Given]:
    return dict(marked(LAB / "private" / "inputs.py", "gives"))[name]


@cache
def checks() -> dict[str, Check]:
    return {**dict(marked(LAB / "checks.py", "judges")), **dict(marked(LAB / "private" / "checks.py", "judges"))}


@pytest.mark.parametrize("family", HOSTILE)
@pytest.mark.parametrize("call", [*KIT["CALLS"], KIT["PAGER"]], ids=lambda call: ".".join(call[:2]))
def test_a_hostile_file_can_do_no_more_than_touch_its_canary(family: str, call: Any) -> None:
    """Every text in it is a name, a word of a state_dict, or one of the harmless arguments."""
    module, name, arguments = filled = KIT["filled"](call, "the-canary")
    words = {"weights", "labels", "epoch", "digits", "on_load"}
    fine = {module, name, f"{module} {name}", *arguments, *words}
    assert any("the-canary" in argument for argument in arguments)
    for stream in streams(KIT[family](Random(1), filled)):
        texts = {argument for _, argument, _ in pickletools.genops(stream) if isinstance(argument, str)}
        assert texts <= fine
        assert {module, name} <= texts or f"{module} {name}" in texts


@pytest.mark.parametrize("family", BENIGN)
def test_a_benign_file_imports_only_what_the_readme_says(family: str) -> None:
    allowed = {"collections", "OrderedDict", "numpy", "ndarray", "dtype", "numpy._core.multiarray", "_reconstruct"}
    allowed |= {"collections OrderedDict", "torch FloatStorage", "torch._utils _rebuild_tensor_v2"}
    for seed in range(20):
        for stream in streams(KIT[family](Random(seed))):
            opcodes = list(pickletools.genops(stream))
            for at, (opcode, argument, _) in enumerate(opcodes):
                if opcode.name in ("GLOBAL", "INST"):
                    assert argument in allowed
                if opcode.name == "STACK_GLOBAL":
                    assert {opcodes[at - 2][1], opcodes[at - 1][1]} <= allowed
            assert opcodes[-1][0].name == "STOP"


def test_names_and_order_of_the_hidden_files_give_nothing_away() -> None:
    given = maker("hostile")(Random("5:scan:hostile"))
    assert sorted(file["family"] for file in given.truth.values()) == sorted([*HOSTILE, *BENIGN])
    assert [file["family"] for file in given.truth.values()] != [*HOSTILE, *BENIGN]
    for name, file in given.truth.items():
        assert file["family"] not in name and len(name.partition(".")[0]) == 8
    assert maker("hostile")(Random("5:scan:hostile")).files == given.files
    assert maker("hostile")(Random("6:scan:hostile")).files != given.files


GARBAGE = [
    None, "", "null", "[]", "{}", "[" * 60_000, '{"lines": 3}', '{"lines": [1, null, "{", "[]"]}',
    '{"lines": ["{\\"file\\": [], \\"verdict\\": \\"safe\\"}"]}', '{"answers": [[1e999]]}', '{"answers": [[true]]}',
    '{"pickles": [], "unread": [7], "files": 3}', '{"problem": ["x"], "message": {}}', '{"labels": [1, "a"]}',
    json.dumps({"answers": [[10**400] * 10]}), json.dumps({"notes": {"sizes": {"model.safetensors": 10**400}}}),
    '{"found": {"a": 1}, "lines": [{}]}', '{"sha256": {}, "labels": [[]], "versions": {"python": {}}}',
]  # fmt: skip


@pytest.mark.parametrize("text", GARBAGE)
def test_whatever_a_program_wrote_a_check_fails_and_does_not_break(text: str | None) -> None:
    """Garbage of a student's may cost points; it must never become an error of ours, or a pass."""
    result = {"ok": text is not None, "problem": None if text is not None else "exit"}
    names = {"practice": "scan.json", "scan": "scan.json", "loaded": "rebuild.json", "inspect": "inspection.json"}
    names["pipeline"] = "labels.json"
    files = [{"path": "artifacts/model.safetensors", "size": 3, "sha256": "00"}]
    files += [{"path": "artifacts/pipeline.json", "size": 3, "sha256": "00"}]
    texts = {name: text for name in ("artifacts/model_meta.json", "results.json", "answers.json") if text is not None}
    sections: dict[str, dict[str, Any]] = {"submission": {"files": files, "texts": texts}}
    for section, name in names.items():
        written = {} if text is None else {name: text}
        sections[section] = {"result": result, "texts": written, "others": [], "truth": None}
    sections["scan"]["truth"] = {"a.pkl": {"canary": "c"}, "b.pkl": {"canary": None}}
    sections["loaded"]["truth"] = {"probabilities": [[0.1] * 10]}
    sections["pipeline"]["truth"] = {"desks": [0, 1]}
    evidence = Evidence(lab="01-pickle", seed=1, engine="local", sections=sections)
    for item, check in checks().items():
        if item in ("st.valid", "st.weights"):
            continue  # they read what our own parser found
        with pytest.raises(Fail):
            check(evidence)


def sound() -> tuple[dict[str, str], dict[str, Any]]:
    """The texts of the solution and what the harnesses write about it, by name."""
    names = ("artifacts/model_meta.json", "results.json", "answers.json")
    texts = {name: (SOLUTION / name).read_text(encoding="utf-8") for name in names}
    lines = [{"file": name, "verdict": "unsafe" if canary else "safe"} for name, canary in marked_practice().items()]
    return texts, {
        "scan.json": {"lines": [json.dumps(line) for line in lines], "found": [], "error": None},
        "rebuild.json": {"answers": [[0.1] * 10] * 3, "problem": None, "message": ""},
        "inspection.json": {"files": 3, "pickles": [], "unread": []},
        "labels.json": {"labels": [0, 1, 2], "problem": None, "message": ""},
    }


@cache
def told(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"path": path.relative_to(SOLUTION).as_posix(), "size": path.stat().st_size, "sha256": f"sha256:{digest}"}


def judged(texts: dict[str, str], written: dict[str, Any]) -> dict[str, str | None]:
    """Item -> cause, None where it passes; the items that read what our own parser found are left out."""
    done = {"result": {"ok": True, "problem": None}, "others": [], "truth": None}
    sections: dict[str, dict[str, Any]] = {
        section: {**done, "texts": {name: json.dumps(written[name])}}
        for section, name in (("practice", "scan.json"), ("loaded", "rebuild.json"),
                              ("inspect", "inspection.json"), ("pipeline", "labels.json"))
    }  # fmt: skip
    sections["loaded"]["truth"] = {"probabilities": [[0.1] * 10] * 3}
    sections["pipeline"]["truth"] = {"desks": [0, 1, 2]}
    sections["skops"] = {"file": {"problem": None}, "skops": {"types": []}}
    files = [path for path in SOLUTION.rglob("*") if path.is_file()]
    sections["submission"] = {"files": [told(path) for path in files], "texts": texts}
    evidence = Evidence(lab="01-pickle", seed=1, engine="local", sections=sections)
    causes: dict[str, str | None] = {}
    for item, check in checks().items():
        if item not in ("st.valid", "st.weights"):
            try:
                causes[item] = check(evidence) and None
            except Fail as failure:
                causes[item] = failure.cause
    return causes


def test_what_the_solution_says_passes() -> None:
    assert set(judged(*sound()).values()) == {None}


def test_an_odd_value_anywhere_in_what_was_said_breaks_no_check() -> None:
    texts, written = sound()
    chance, lost = Random(1), 0
    for _ in range(600):
        name = chance.choice([*texts, "scan.json", "rebuild.json", "labels.json"])
        if name in texts:
            odd = json.dumps(disturbed(json.loads(texts[name]), chance))
            causes = judged({**texts, name: odd}, written)
        else:
            causes = judged(texts, {**written, name: disturbed(written[name], chance)})
        lost += any(causes.values())
    assert lost > 200


def test_the_same_verdict_for_every_file_earns_nothing() -> None:
    for verdict in ("safe", "unsafe"):
        practice = dict(marked_practice())
        lines = [json.dumps({"file": name, "verdict": verdict}) for name in practice]
        section = {"result": {"ok": True, "problem": None}, "others": [], "truth": None}
        section["texts"] = {"scan.json": json.dumps({"lines": lines, "found": []})}
        evidence = Evidence(lab="01-pickle", seed=1, engine="local", sections={"practice": section})
        for item in SCANS:
            with pytest.raises(Fail) as failure:
                checks()[item](evidence)
            assert failure.value.cause == "constant"


def marked_practice() -> dict[str, str | None]:
    found: dict[str, str | None] = runpy.run_path(str(LAB / "checks.py"))["PRACTICE"]
    return found
