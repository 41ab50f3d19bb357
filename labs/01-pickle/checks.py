"""The public rubric of lab 01. What a program printed or a file says is a claim: read with care, it can only fail.

The hidden inputs and the two checks over them are in private/.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from grader.checks import Fail, check
from grader.claims import is_number, parsed, table
from grader.forms import bets_fault
from grader.records import Evidence, Section

SHAPES = {"hidden.weight": [64, 784], "hidden.bias": [64], "output.weight": [10, 64], "output.bias": [10]}
MODEL, META = "artifacts/model.safetensors", "artifacts/model_meta.json"
PIPELINES = ("artifacts/pipeline.skops", "artifacts/pipeline.onnx", "artifacts/pipeline.json")
LABELS = list(range(10))
TOLERANCE = 1e-4
MOST_OTHERS = 50  # as many foreign files as are told: a canary could hide behind them
BETS = ("L01.B1", "L01.B2", "L01.B3", "L01.B4", "L01.B5")
# The files that every student may try a scanner on: which of them would touch a canary if they were loaded.
PRACTICE = {
    "practice-direct.pkl": "canary-direct.txt",
    "practice-stack.pkl": "canary-stack.txt",
    "practice-archive.pt": "canary-archive.txt",
    "practice-plain.pkl": None,
    "practice-weights.pt": None,
}


@check("scan.flags")
def scan_flags(evidence: Evidence) -> None:
    """Every file that would act when it is loaded is called unsafe."""
    for verdicts, canaries, _ in _scans(evidence):
        hostile = [name for name, canary in canaries.items() if canary]
        missed = [name for name in hostile if verdicts[name] == "safe"]
        if missed:
            raise Fail("missed", missed=len(missed), hostile=len(hostile), where=_practised(missed))


@check("scan.clean")
def scan_clean(evidence: Evidence) -> None:
    """No file that only holds data is called unsafe."""
    for verdicts, canaries, _ in _scans(evidence):
        benign = [name for name, canary in canaries.items() if not canary]
        alarms = [name for name in benign if verdicts[name] == "unsafe"]
        if alarms:
            raise Fail("alarm", alarms=len(alarms), benign=len(benign), where=_practised(alarms))


@check("scan.noexec")
def scan_noexec(evidence: Evidence) -> None:
    """While the scanner works, no unpickler looks a name up and no canary is touched."""
    for _, canaries, section in _scans(evidence):
        touched = set(section["others"]).intersection(filter(None, canaries.values()))
        if touched or len(section["others"]) >= MOST_OTHERS:
            raise Fail("canary")
        found = _object(section, "scan.json").get("found")
        if found:
            raise Fail("unpickled", name=str(found[0])[:80] if isinstance(found, list) else "?")


def _scans(evidence: Evidence) -> list[tuple[dict[str, str], dict[str, str | None], Section]]:
    """Of the practice files and (where they are at hand) the hidden ones: verdicts, canaries, what else was seen."""
    scans = [("practice", PRACTICE)]
    if "scan" in evidence.sections:
        scans.append(("scan", {name: file["canary"] for name, file in evidence["scan"]["truth"].items()}))
    return [(_verdicts(evidence[name], canaries), canaries, evidence[name]) for name, canaries in scans]


def _verdicts(section: Section, canaries: dict[str, str | None]) -> dict[str, str]:
    """File -> "safe" or "unsafe", one for each; a scanner that says the same of all files has looked at none."""
    report = _object(section, "scan.json")
    if report.get("error") == "missing":
        raise Fail("no_scanner")
    lines = report.get("lines")
    said: dict[str, str] = {}
    for line in lines if isinstance(lines, list) else []:
        row = parsed(line)
        if not isinstance(row, dict) or row.get("verdict") not in ("safe", "unsafe"):
            continue
        name = PurePosixPath(str(row.get("file"))).name
        if said.get(name) != "unsafe":  # two lines on one file: the alarm counts
            said[name] = row["verdict"]
    missing = sorted(set(canaries).difference(said))
    if missing:
        raise Fail("no_verdict", missing=len(missing), files=len(canaries), error=str(report.get("error") or "-")[:200])
    if len({said[name] for name in canaries}) == 1:
        raise Fail("constant", verdict=said[next(iter(canaries))])
    return {name: said[name] for name in canaries}


def _practised(names: list[str]) -> str:
    """Only files that the student holds are named."""
    return names[0] if names[0] in PRACTICE else "-"


@check("st.valid")
def st_valid(evidence: Evidence) -> None:
    """The weights file is a whole safetensors file with the four tensors in float32."""
    file = evidence["model"]["file"]
    if file["problem"]:
        raise Fail("missing" if file["problem"] == "missing" else "broken", problem=file["problem"])
    tensors = evidence["model"]["tensors"]
    found = {tensor["name"]: tensor for tensor in tensors["tensors"]}
    for name, shape in SHAPES.items():
        if name not in found:
            raise Fail("no_tensor", tensor=name)
        if found[name]["dtype"] != "F32":
            raise Fail("dtype", tensor=name, found=found[name]["dtype"])
        if found[name]["shape"] != shape:
            raise Fail("shape", tensor=name, found=_by(found[name]["shape"]), expected=_by(shape))
    if len(found) > len(SHAPES):
        raise Fail("extra", tensor=next(name for name in found if name not in SHAPES)[:80])
    if not tensors["contiguous"]:
        raise Fail("gaps")


def _by(shape: list[int]) -> str:
    return " x ".join(map(str, shape))


@check("meta")
def meta(evidence: Evidence) -> None:
    """The file beside the weights names their hash, the order of the labels and the versions that made them."""
    texts, files = evidence["submission"]["texts"], _files(evidence)
    if META not in texts:
        raise Fail("missing")
    said = parsed(texts[META])
    if not isinstance(said, dict):
        raise Fail("not_json")
    if MODEL not in files or str(said.get("sha256")).lower() != files[MODEL]["sha256"].removeprefix("sha256:"):
        raise Fail("hash")
    if not isinstance(said.get("labels"), list) or [str(label) for label in said["labels"]] != [str(n) for n in LABELS]:
        raise Fail("labels")
    versions = table(said, "versions").items()
    known = {name for name, version in versions if isinstance(version, str) and re.match(r"\d+\.\d+", version)}
    if "python" not in known or len(known) < 2:
        raise Fail("versions")


@check("rebuild")
def rebuild(evidence: Evidence) -> None:
    """`load_model` builds the network of a folder that it has never seen."""
    report = _object(evidence["loaded"], "rebuild.json")
    if report.get("problem"):
        known = report["problem"] if report["problem"] in ("missing", "raised", "shape", "not_finite") else "raised"
        raise Fail(known, message=str(report.get("message"))[:200])
    expected = evidence["loaded"]["truth"]["probabilities"]
    answers = report.get("answers")
    if not isinstance(answers, list) or len(answers) != len(expected):
        raise Fail("shape", message="-")
    for row, right in zip(answers, expected, strict=True):
        if not isinstance(row, list) or len(row) != len(right) or not all(map(is_number, row)):
            raise Fail("shape", message="-")
        if max(abs(got - wanted) for got, wanted in zip(row, right, strict=True)) > TOLERANCE:
            raise Fail("differs")


@check("nopkl")
def nopkl(evidence: Evidence) -> None:
    """No file of artifacts/ holds a pickle, inside archives neither."""
    if MODEL not in _files(evidence):
        raise Fail("nothing")
    found = _object(evidence["inspect"], "inspection.json")
    if found.get("pickles"):
        raise Fail("pickle", path=str(found["pickles"][0])[:200], count=len(found["pickles"]))
    if found.get("unread") or not isinstance(found.get("files"), int):
        raise Fail("unread", path=str((found.get("unread") or ["-"])[0])[:200])


@check("report")
def report(evidence: Evidence) -> None:
    """`results.json` gives the size of each file handed in, and the sizes are the files'."""
    texts, files = evidence["submission"]["texts"], _files(evidence)
    if "results.json" not in texts:
        raise Fail("missing")
    sizes = table(parsed(texts["results.json"]), "notes", "sizes")
    if not sizes:
        raise Fail("no_sizes")
    wanted = [MODEL, META, *(path for path in PIPELINES if path in files)]
    if MODEL not in files or len(wanted) == 2:
        raise Fail("nothing")
    for path in wanted:
        name = PurePosixPath(path).name
        said = sizes.get(name, sizes.get(path))
        if path not in files or isinstance(said, bool) or said != files[path]["size"]:
            raise Fail("size", file=name, said=said if is_number(said) else "-")


@check("bets")
def bets(evidence: Evidence) -> None:
    """Each bet of the notebook was placed."""
    texts = evidence["submission"]["texts"]
    if "answers.json" not in texts:
        raise Fail("missing")
    fault = bets_fault(texts["answers.json"], evidence.lab, BETS)
    if fault:
        raise Fail("form", field=fault)


def _files(evidence: Evidence) -> dict[str, dict[str, Any]]:
    return {file["path"]: file for file in evidence["submission"]["files"]}


def _object(section: Section, name: str) -> dict[str, Any]:
    """The JSON object that a harness wrote; the student's program ran beside it, so it may hold anything."""
    if not section["result"]["ok"] and name not in section["texts"]:
        raise Fail("stopped", problem=str(section["result"]["problem"]))
    found = parsed(section["texts"].get(name))
    if not isinstance(found, dict):
        raise Fail("stopped", problem="output")
    return found
