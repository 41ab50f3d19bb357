"""R05 and R08 to R12: tags and ids, stubs, what an exercise leaves behind, hints, and what a failure may show."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from grader.notebooks.build import stale
from grader.notebooks.rules.words import TAGS, WRITE_STEMS, WRITES
from grader.notebooks.source import Cell
from grader.notebooks.subject import (
    Finding,
    Subject,
    calls,
    first_text,
    imported,
    keyword,
    mentions,
    names_from,
    nodes,
    text_of,
    tree,
)
from grader.notebooks.versions import version_of

HINTS = ("hint-1", "hint-2", "hint-3")
_INNER = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def r05(subject: Subject) -> Iterator[Finding]:
    """Tags of one vocabulary; each exercise has an id, which names its items of the rubric."""
    pattern = re.compile(rf"L{subject.source.number}\.E[1-9]\d?")
    seen: set[str] = set()
    for cell in subject.source.cells:
        for tag in cell.tags:
            if tag not in TAGS:
                yield Finding("nb_r05_tag", cell, {"tag": tag})
        if cell.kind == "code" and not cell.tags:
            yield Finding("nb_r05_untagged", cell)
        if "exercise" not in cell.tags:
            if cell.id is not None:
                yield Finding("nb_r05_stray_id", cell, {"id": cell.id})
            continue
        if cell.id is None or not pattern.fullmatch(cell.id):
            yield Finding("nb_r05_id", cell, {"id": cell.id or "-", "number": subject.source.number})
        elif cell.id in seen:
            yield Finding("nb_r05_twice", cell, {"id": cell.id})
        seen.add(cell.id or "")
        if not cell.items:
            yield Finding("nb_r05_no_items", cell, {"id": cell.id or "-"})
    yield from _item_problems(subject)


def r08(subject: Subject) -> Iterator[Finding]:
    """Stubs raise, in exercises only, and nothing else does."""
    with_blocks = {cell.line for cell, _ in subject.blocks()}
    for cell in subject.source.cells:
        exercise = "exercise" in cell.tags
        if exercise and cell.line not in with_blocks:
            yield Finding("nb_r08_no_block", cell, {"id": cell.id or "-"})
        if not exercise and cell.line in with_blocks:
            yield Finding("nb_r08_block", cell)
        if "raises-exception" in cell.tags:
            yield Finding("nb_r08_raises", cell)
        if cell.kind == "code" and re.search(r"raise\s+NotImplementedError", cell.code):
            yield Finding("nb_r08_by_hand", cell)


def r09(subject: Subject) -> Iterator[Finding]:
    """The student's version comes from the solution: its lines are the solution's, its files are up to date."""
    for cell, block in subject.blocks():
        lines = [line.strip() for line in block.solution]
        for line in block.kept:
            kept = line.strip()
            pattern = ".*".join(re.escape(part) for part in kept.split("..."))
            if kept and not kept.startswith("#") and not any(re.fullmatch(pattern, line) for line in lines):
                yield Finding("nb_r09_line", cell, {"line": kept[:80]})
    for path in stale(subject.source, subject.folder, "student") if subject.folder else ():
        yield Finding("nb_r09_stale", None, {"path": str(path), "name": subject.source.name})


def r10(subject: Subject) -> Iterator[Finding]:
    """An exercise writes files below `out_dir`, and a check looks at them from outside."""
    out = names_from(subject.code, "out_dir")
    checked = {first_text(call) for _, name, call in calls(subject.tagged("check")) if name == "wb.check"}
    exercises = subject.tagged("exercise")
    for cell in exercises:
        if not any(_writes(name, call) for _, name, call in calls([cell])):
            yield Finding("nb_r10_no_file", cell, {"id": cell.id or "-"})
        elif not mentions(tree(cell.code), out) and not any(name == "wb.note" for _, name, _ in calls([cell])):
            yield Finding("nb_r10_elsewhere", cell, {"id": cell.id or "-"})
        if cell.id not in checked:
            yield Finding("nb_r10_no_check", cell, {"id": cell.id or "-"})
    yield from _variable_problems(subject)
    known = {cell.id for cell in exercises}
    for cell in subject.tagged("check"):
        names = [(name, first_text(call)) for _, name, call in calls([cell])]
        if not any(name == "wb.check" for name, _ in names):
            yield Finding("nb_r10_empty_check", cell)
        for name, asked in names:
            if name in ("wb.check", "wb.hint") and asked not in known:
                yield Finding("nb_r10_unknown", cell, {"id": asked or "-"})


def r11(subject: Subject) -> Iterator[Finding]:
    """Three hints an exercise: Markdown cells after it, or those of its items in lab.toml by `wb.hint`."""
    asked = {first_text(call) for _, name, call in calls(subject.code) if name == "wb.hint"}
    cells = subject.cells
    for at, cell in enumerate(cells):
        if "exercise" not in cell.tags:
            continue
        following = []
        for later in cells[at + 1 :]:
            if "exercise" in later.tags:
                break
            following += [tag for tag in later.tags if tag in HINTS]
        in_lab = cell.id in asked and (subject.lab is None or _hinted(subject, cell))
        if tuple(following) != HINTS and not (in_lab and not following):
            yield Finding("nb_r11_hints", cell, {"id": cell.id or "-", "found": ", ".join(following) or "-"})


def r12(subject: Subject) -> Iterator[Finding]:
    """What a failure says comes from the catalogue of the lab: no assertion, no traceback."""
    for cell, node in nodes(subject.code):
        if isinstance(node, ast.Assert):
            yield Finding("nb_r12_assert", cell)
    for cell, module in imported(subject.code):
        if module == "traceback":
            yield Finding("nb_r12_traceback", cell)
    items = {item.id: item for item in subject.lab.items} if subject.lab else {}
    for cell in subject.tagged("exercise"):
        for name in cell.items:
            if name in items and not items[name].causes:
                yield Finding("nb_r12_no_words", cell, {"item": name})


def _item_problems(subject: Subject) -> Iterator[Finding]:
    if subject.lab is None:
        return
    items = {item.id: item for item in subject.lab.items}
    exercises = subject.tagged("exercise")
    for cell in exercises:
        short = (cell.id or "").partition(".")[2]
        for name in cell.items:
            if name not in items:
                yield Finding("nb_r05_item", cell, {"item": name, "lab": subject.lab.id})
            elif items[name].exercise != short:
                yield Finding("nb_r05_exercise", cell, {"item": name, "said": items[name].exercise or "-", "id": short})
    named = {name for cell in exercises for name in cell.items}
    for item in subject.lab.items:
        if item.exercise and item.id not in named:
            yield Finding("nb_r05_unnamed", None, {"item": item.id, "exercise": item.exercise})


def _variable_problems(subject: Subject) -> Iterator[Finding]:
    """Where a cell needs what only an exercise makes: whoever is stuck there cannot go on."""
    student = [cell for cell in version_of(subject.source, "student") if cell.kind == "code"]
    made = {name for cell in student for name in _bound(_reached(cell))}
    solved = {name for cell in subject.tagged("exercise") for name in _bound(tree(cell.code).body)}
    for cell in student:
        if "exercise" not in cell.tags:
            for name in sorted((solved - made) & _used(cell)):
                yield Finding("nb_r10_variable", cell, {"name": name})


def _reached(cell: Cell) -> list[ast.stmt]:
    """The statements of a cell up to the one that meets a stub, itself or in a function of the cell that it calls."""
    found: list[ast.stmt] = []
    stubs: set[str] = set()
    for statement in tree(cell.code).body:
        raises = mentions(statement, {"NotImplementedError"})
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            stubs |= {statement.name} if raises else set()
        elif raises or mentions(statement, stubs):
            break
        found.append(statement)
    return found


def _bound(body: list[ast.stmt]) -> set[str]:
    """The names that statements leave to the cells after them: not those inside a function or a comprehension."""
    found: set[str] = set()
    waiting: list[ast.AST] = [*body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        if not isinstance(node, _INNER):
            waiting += ast.iter_child_nodes(node)
    return found


def _used(cell: Cell) -> set[str]:
    """The names that a cell takes from the cells before it."""
    names = [node for node in ast.walk(tree(cell.code)) if isinstance(node, ast.Name)]
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree(cell.code)) if isinstance(node, ast.arg)}
    return {node.id for node in names} - own


def _writes(name: str, call: ast.Call) -> bool:
    last = call.func.attr if isinstance(call.func, ast.Attribute) else name
    if last == "open":
        mode = text_of(call.args[-1] if call.args else None) or text_of(keyword(call, "mode")) or ""
        return bool(set(mode) & set("wax"))
    return last in WRITES or last.startswith(WRITE_STEMS)


def _hinted(subject: Subject, cell: Cell) -> bool:
    items = [item for item in subject.lab.items if item.id in cell.items] if subject.lab else []
    return bool(items) and all(any(cause.hints for cause in item.causes.values()) for item in items)
