"""What is wrong with a lab that loads: checks and rubric that do not fit together. Nothing of the lab is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from grader import words
from grader.errors import Fact
from grader.lab import near_miss
from grader.records import Item, Lab

_PUBLIC, _PRIVATE = "checks.py", "private/checks.py"
_SHARED = ("did_not_start", "no_engine", "not_built")  # a check may use these words of ours


@dataclass(frozen=True)
class Problem:
    """One finding, with its code in `words`; a `note` is worth knowing and breaks nothing."""

    code: str
    facts: dict[str, Fact] = field(default_factory=dict)
    level: Literal["error", "note"] = "error"


@dataclass(frozen=True)
class _Raise:
    """One `Fail`, `Skip` or `Remark` in a check; `cause` None where it is computed, `facts` None where they are."""

    kind: str
    cause: str | None
    facts: frozenset[str] | None
    line: int


@dataclass(frozen=True)
class _Check:
    item: str
    file: str
    line: int
    raises: tuple[_Raise, ...]


def lint_lab(lab: Lab, probes: frozenset[str]) -> tuple[Problem, ...]:
    """Everything that does not fit in `lab`; `probes` are the names that the grader can measure."""
    found = list(_probe_problems(lab, probes))
    checks: list[_Check] = []
    readable = True
    for file in (_PUBLIC, _PRIVATE):
        path = Path(lab.root) / file
        try:
            checks += _checks(file, ast.parse(path.read_text(encoding="utf-8"))) if path.is_file() else ()
        except SyntaxError as error:
            readable = False
            found.append(Problem("lint_syntax", {"file": file, "line": error.lineno, "problem": error.msg}))
    if readable:
        found += _pairing_problems(lab, checks)
        for check in checks:
            found += _cause_problems(lab, check)
        for item in lab.items:
            raises = tuple(entry for check in checks if check.item == item.id for entry in check.raises)
            found += _word_problems(item, raises)
    for name in ("README.md", "README.fr.md"):
        if not (Path(lab.root) / name).is_file():
            found.append(Problem("lint_readme", {"file": name}))
    if lab.max_score != 20:
        found.append(Problem("lint_total", {"total": lab.max_score}, "note"))
    return tuple(found)


def _probe_problems(lab: Lab, probes: frozenset[str]) -> Iterator[Problem]:
    for name, spec in lab.starts.items():
        for probe in spec.probes:
            if probe not in probes:
                yield Problem("lint_probe", {"start": name, "probe": probe, "near": near_miss(probe, probes)})


def _pairing_problems(lab: Lab, checks: list[_Check]) -> Iterator[Problem]:
    student_copy = not (Path(lab.root) / "private").is_dir()
    for item in lab.items:
        right = _PRIVATE if item.visibility == "hidden" else _PUBLIC
        own = [check for check in checks if check.item == item.id]
        if not own and not (student_copy and right == _PRIVATE):
            yield Problem("lint_no_check", {"item": item.id, "file": right})
        if len(own) > 1:
            yield Problem("lint_two_checks", {"item": item.id, "count": len(own)})
        for check in own:
            if check.file != right:
                where: dict[str, Fact] = {"file": check.file, "right": right}
                yield Problem("lint_wrong_file", {"item": item.id, "visibility": item.visibility, **where})
    names = [item.id for item in lab.items]
    for check in checks:
        if check.item not in names:
            near = near_miss(check.item, names)
            yield Problem("lint_no_item", {"file": check.file, "line": check.line, "item": check.item, "near": near})


def _cause_problems(lab: Lab, check: _Check) -> Iterator[Problem]:
    causes = {item.id: item.causes for item in lab.items}.get(check.item)
    if causes is None:
        return
    for entry in check.raises:
        place: dict[str, Fact] = {"file": check.file, "line": entry.line, "cause": entry.cause}
        if entry.cause is None or (entry.cause not in causes and entry.cause in _SHARED):
            continue
        if entry.cause not in causes:
            yield Problem("lint_no_words", {**place, "item": check.item, "near": near_miss(entry.cause, causes)})
        elif entry.facts is not None:
            for fact in sorted(words.placeholders(causes[entry.cause].en) - entry.facts):
                yield Problem("lint_no_fact", {**place, "fact": fact})


def _word_problems(item: Item, raises: tuple[_Raise, ...]) -> Iterator[Problem]:
    failing = {entry.cause for entry in raises if entry.kind == "Fail"}
    harmless = {entry.cause for entry in raises} - failing
    for name, cause in item.causes.items():
        if cause.hints is None and name not in harmless:
            yield Problem("lint_no_hints", {"item": item.id, "cause": name})
        shown = {lang: ", ".join(sorted(words.placeholders(cause.in_(lang)))) for lang in ("en", "fr")}
        if shown["en"] != shown["fr"]:
            yield Problem("lint_placeholders", {"item": item.id, "cause": name, **shown})


def _checks(file: str, tree: ast.Module) -> Iterator[_Check]:
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and _name(mark.func) == "check" and (item := _literal(mark)) is not None:
                    yield _Check(item, file, node.lineno, tuple(_raises(node, functions, set())))


def _raises(node: ast.FunctionDef, functions: dict[str, ast.FunctionDef], seen: set[str]) -> Iterator[_Raise]:
    """What a check may raise or return, helpers of the same file that it calls included."""
    seen.add(node.name)
    for part in ast.walk(node):
        if not isinstance(part, ast.Call):
            continue
        kind = _name(part.func)
        if kind in ("Fail", "Skip", "Remark"):
            yield _Raise(kind, _literal(part), _facts(kind, part), part.lineno)
        elif kind in functions and kind not in seen:
            yield from _raises(functions[kind], functions, seen)


def _facts(kind: str, call: ast.Call) -> frozenset[str] | None:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if kind != "Remark":
        return None if None in keywords else frozenset(str(name) for name in keywords)
    facts = keywords.get("facts", call.args[2] if len(call.args) > 2 else ast.Dict([], []))
    if isinstance(facts, ast.Dict) and all(isinstance(key, ast.Constant) for key in facts.keys):
        return frozenset(str(key.value) for key in facts.keys if isinstance(key, ast.Constant))
    return None


def _literal(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
