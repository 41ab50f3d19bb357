"""What the rules look at: a notebook's versions, its sections, its code as trees and its prose as paragraphs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from grader.errors import Fact
from grader.notebooks.glossary import Glossary
from grader.notebooks.source import Cell, Source
from grader.notebooks.versions import Block, blocks_of, version_of
from grader.records import Lab, Lang

_FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*$", re.MULTILINE)
_MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)
_SPAN = re.compile(r"`[^`\n]*`")


@dataclass(frozen=True)
class Finding:
    """One break of a rule: its code in `words`, the cell it is in (None: the whole notebook) and in which language."""

    code: str
    cell: Cell | None = None
    facts: dict[str, Fact] = field(default_factory=dict)
    lang: Lang | None = None


@dataclass(frozen=True)
class Section:
    """From one heading of level 2 to the next."""

    heading: Cell
    cells: tuple[Cell, ...]
    last: bool

    @property
    def timed(self) -> bool:
        """Whether it is taught as one cycle: not the opening with the set-up, the closing, or optional work."""
        opening = "setup" in self.heading.tags or any("setup" in cell.tags for cell in self.cells)
        return not (opening or self.last or "optional" in self.heading.tags)


@dataclass(frozen=True)
class Subject:
    """One notebook with what it belongs to. `folder` holds the generated files, None where they are not looked at."""

    source: Source
    glossary: Glossary
    lab: Lab | None = None
    folder: Path | None = None

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of the solution version: the markers of its blocks are gone."""
        return version_of(self.source, "solution")

    @property
    def code(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.kind == "code")

    @property
    def markdown(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.source.cells if cell.kind == "markdown")

    def tagged(self, tag: str) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if tag in cell.tags)

    def blocks(self) -> Iterator[tuple[Cell, Block]]:
        """Each marked block of the source with its cell."""
        for cell in self.source.cells:
            for block in blocks_of(self.source, cell) if cell.kind == "code" else ():
                yield cell, block

    def sections(self) -> tuple[Section, ...]:
        """The sections in order; what stands before the first heading of level 2 belongs to none."""
        cells = self.cells
        starts = [at for at, cell in enumerate(cells) if cell.kind == "markdown" and 2 in levels(cell.texts["en"])]
        ends = [*starts[1:], len(cells)]
        return tuple(
            Section(cells[start], cells[start:end], end == len(cells)) for start, end in zip(starts, ends, strict=True)
        )


@cache
def tree(code: str) -> ast.Module:
    """The code of a cell without its lines of magics; empty where it does not parse, which rule R00 says."""
    try:
        return ast.parse(_MAGIC.sub(r"\1pass", code))
    except SyntaxError:
        return ast.Module([], [])


def nodes(cells: Iterable[Cell]) -> Iterator[tuple[Cell, ast.AST]]:
    """Every node of the code of `cells`."""
    for cell in cells:
        for node in ast.walk(tree(cell.code)):
            yield cell, node


def calls(cells: Iterable[Cell]) -> Iterator[tuple[Cell, str, ast.Call]]:
    """Every call in `cells` with the dotted name of what is called (`wb.bet`; "" where it has none)."""
    for cell, node in nodes(cells):
        if isinstance(node, ast.Call):
            yield cell, dotted(node.func), node


def dotted(node: ast.expr) -> str:
    """`np.random.default_rng` for that expression; behind a call or an item only the attributes: `.write_text`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument, None where it is not given."""
    return next((entry.value for entry in call.keywords if entry.arg == name), None)


def text_of(node: ast.expr | None) -> str | None:
    """The text of a literal string, None for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def first_text(call: ast.Call) -> str:
    """The first argument of a call where it is a literal string, else ""."""
    return text_of(call.args[0]) or "" if call.args else ""


def imported(cells: Iterable[Cell]) -> Iterator[tuple[Cell, str]]:
    """Every module that `cells` import."""
    for cell, node in nodes(cells):
        if isinstance(node, ast.Import):
            yield from ((cell, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield cell, node.module


def names_from(cells: Iterable[Cell], origin: str) -> frozenset[str]:
    """`origin` and every variable that is made with it, directly or through another one."""
    found = {origin}
    assignments = [
        (target, node.value)
        for _, node in nodes(cells)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    while (
        new := {
            name.id
            for target, value in assignments
            if mentions(value, found)
            for name in ast.walk(target)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        }
        - found
    ):
        found |= new
    return frozenset(found)


def mentions(node: ast.AST, names: Iterable[str]) -> bool:
    """Whether an expression uses one of the variables `names`."""
    wanted = set(names)
    return any(isinstance(part, ast.Name) and part.id in wanted for part in ast.walk(node))


def levels(text: str) -> list[int]:
    """The levels of the headings of a Markdown cell, in order."""
    return [len(match.group(1)) for match in _HEADING.finditer(_FENCE.sub("", text))]


def prose(text: str) -> str:
    """Markdown without code, inline or fenced."""
    return _SPAN.sub(" ", _FENCE.sub("", text))


def paragraphs(text: str) -> list[str]:
    """The paragraphs and list entries of a Markdown cell, without code and headings."""
    running = _HEADING.sub("", prose(text))
    return [part.strip() for part in re.split(r"\n\s*\n|\n(?=\s*(?:[-*+]|\d+\.)\s)", running) if part.strip()]
