"""R03, R20, R21 and R22: the parameters, and that a notebook stays in its own place and at its own seed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from grader.notebooks.rules.words import DOWNLOADS, LAB_INSIDES, NETWORK_MODULES, PARAMETERS
from grader.notebooks.source import Cell
from grader.notebooks.subject import (
    Finding,
    Subject,
    calls,
    dotted,
    imported,
    keyword,
    mentions,
    names_from,
    nodes,
    text_of,
    tree,
)

_SHELL = re.compile(r"^\s*(?:!|%%?(?:bash|sh|script|sx|system|cd|pip|conda|!))", re.MULTILINE)
_ABSOLUTE = re.compile(
    r"^(?:~|[A-Za-z]:\\|/(?:bin|content|data|dev|etc|home|mnt|opt|proc|root|srv|sys|tmp|usr|var|work)\b)"
)
_FOREIGN = re.compile(r"^https?://(?!127\.0\.0\.1|localhost|\[::1\])")
_LOCAL = re.compile(r"127\.0\.0\.1|localhost")
_OTHER_LAB = re.compile(r"(?:^|[/\\])((?:0\d|[1-9]\d)-[a-z][a-z-]*)(?:$|[/\\])|(?:^|[/\\])(\.\.)[/\\]|(?:^|/)(work)/")
BEGIN = ("seed", "fast", "bets", "out_dir", "lang", "n_repeats")


def r03(subject: Subject) -> Iterator[Finding]:
    """The second cell holds the seven parameters, and nothing later goes around them."""
    cells = subject.cells
    second = cells[1] if len(cells) > 1 else cells[0]
    if "parameters" not in second.tags or len(subject.tagged("parameters")) != 1:
        yield Finding("nb_r03_second", second)
        return
    yield from _parameter_problems(second)
    later = [cell for cell in subject.code if cell is not second]
    used = {node.id for _, node in nodes(later) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for name in PARAMETERS:
        if name not in used:
            yield Finding("nb_r03_unused", second, {"name": name})
    for cell in later:
        if match := _SHELL.search(cell.code):
            yield Finding("nb_r03_shell", cell, {"found": match.group(0).strip()})
    yield from _place_problems(later)


def r20(subject: Subject) -> Iterator[Finding]:
    """A notebook starts from what its own lab gives, so that an earlier lab that failed blocks nothing."""
    for cell, node in nodes(subject.code):
        text = text_of(node) if isinstance(node, ast.expr) else None
        match = _OTHER_LAB.search(text) if text else None
        if text and match and match.group(1) != subject.source.name:
            yield Finding("nb_r20_elsewhere", cell, {"found": text[:60]})


def r21(subject: Subject) -> Iterator[Finding]:
    """What is graded stands outside: nothing of it is read, and nothing is written but below `out_dir`."""
    for cell, module in imported(subject.code):
        if module.partition(".")[0] == "grader":
            yield Finding("nb_r21_grader", cell)
    for cell, node in nodes(subject.code):
        text = text_of(node) if isinstance(node, ast.expr) else None
        if text and (inside := next((name for name in LAB_INSIDES if name in text), None)):
            yield Finding("nb_r21_inside", cell, {"found": inside})
    data = names_from(subject.code, "data_dir") - names_from(subject.code, "out_dir")
    for cell, name, call in calls(subject.code):
        target = _written_to(name, call)
        if target is None:
            continue
        inner = target.args[0] if isinstance(target, ast.Call) and target.args else target
        if text_of(inner) is not None and not mentions(target, names_from(subject.code, "out_dir")):
            yield Finding("nb_r21_beside", cell, {"found": (text_of(inner) or "")[:60]})
        elif mentions(target, data):
            yield Finding("nb_r21_data", cell)


def r22(subject: Subject) -> Iterator[Finding]:
    """The set-up hands every parameter on by its own name: a student's seed reaches all that is random."""
    setups = subject.tagged("setup")
    begins = [call for _, name, call in calls(setups) if name == "wb.begin"]
    if not begins:
        yield Finding("nb_r22_begin", setups[0] if setups else None)
        return
    for name in BEGIN:
        value = keyword(begins[0], name)
        if not (isinstance(value, ast.Name) and value.id == name):
            yield Finding("nb_r22_parameter", setups[0], {"name": name})
    if text_of(keyword(begins[0], "lab")) != subject.source.name:
        yield Finding("nb_r22_lab", setups[0], {"name": subject.source.name})


def _parameter_problems(cell: Cell) -> Iterator[Finding]:
    found: dict[str, object] = {}
    for statement in tree(cell.code).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        try:
            value = ast.literal_eval(statement.value) if isinstance(statement, ast.Assign) else None
        except ValueError:
            value = None
        if len(targets) != 1 or not isinstance(targets[0], ast.Name) or value is None:
            yield Finding("nb_r03_literal", cell, {"found": ast.unparse(statement)[:60]})
        else:
            found[targets[0].id] = value
    for name, value in PARAMETERS.items():
        if name not in found:
            yield Finding("nb_r03_missing", cell, {"name": name, "value": repr(value)})
        elif found[name] != value or type(found[name]) is not type(value):
            yield Finding("nb_r03_default", cell, {"name": name, "value": repr(value)})
    for name in sorted(found.keys() - PARAMETERS.keys()):
        yield Finding("nb_r03_extra", cell, {"name": name})


def _place_problems(cells: list[Cell]) -> Iterator[Finding]:
    texts = [
        (cell, text)
        for cell, node in nodes(cells)
        if isinstance(node, ast.expr) and (text := text_of(node)) is not None
    ]
    for cell, text in texts:
        if _ABSOLUTE.match(text):
            yield Finding("nb_r03_absolute", cell, {"found": text[:60]})
    local = any(_LOCAL.search(text) for _, text in texts)
    foreign = [(cell, text) for cell, text in texts if _FOREIGN.match(text)]
    for cell, module in imported(cells):
        if module.partition(".")[0] in NETWORK_MODULES and (foreign or not local):
            yield Finding("nb_r03_network", cell, {"found": module})
    for cell, name, call in calls(cells):
        last = name.rpartition(".")[2]
        if last in DOWNLOADS or name.startswith("torch.hub."):
            yield Finding("nb_r03_network", cell, {"found": name})
        shell = keyword(call, "shell")
        if name in ("os.system", "os.popen") or (isinstance(shell, ast.Constant) and shell.value):
            yield Finding("nb_r03_shell", cell, {"found": name})
        if name == "os.chdir":
            yield Finding("nb_r03_shell", cell, {"found": name})


def _written_to(name: str, call: ast.Call) -> ast.expr | None:
    """Where a call writes, None where it does not or nobody can tell."""
    if name == "open" and call.args:
        mode = text_of(call.args[1] if len(call.args) > 1 else keyword(call, "mode")) or "r"
        return call.args[0] if set(mode) & set("wax+") else None
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("write_text", "write_bytes", "unlink", "touch"):
        receiver = call.func.value
        return receiver if isinstance(receiver, (ast.Name, ast.BinOp, ast.Call)) and dotted(receiver) != "wb" else None
    return None
