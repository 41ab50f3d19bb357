"""The two versions of a notebook: the solution, and the student's, in which each marked block is a stub.

    # >>> solution
    scores = session.run(None, {"image": batch})
    # keep: scores = ...
    # <<< solution

The solution version keeps the code of the block. The student's has `raise NotImplementedError("L02.E1")` instead, and
then the `# keep: ` lines: unfinished as they are, they are never run. Bets and answers are left open too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from grader.errors import Fact, LabError
from grader.notebooks.blanks import blanked
from grader.notebooks.source import Cell, Source
from grader.records import Lang

Version = Literal["student", "solution"]
_OPEN = re.compile(r"(\s*)# >>> solution\s*")
_CLOSE = re.compile(r"\s*# <<< solution\s*")
_KEEP = re.compile(r"\s*# keep: ?(.*)")
_SUMMARY = {"en": "Hint {number}", "fr": "Indice {number}"}


@dataclass(frozen=True)
class Block:
    """One marked block of an exercise: what the solution runs and what the student's version keeps of it."""

    indent: str
    solution: tuple[str, ...]
    kept: tuple[str, ...]


def version_of(source: Source, version: Version) -> tuple[Cell, ...]:
    """The cells of one version, in both languages. Raises `LabError` where a block is not closed."""
    if version == "solution":
        return tuple(_solved(source, cell) for cell in source.cells)
    away = {"solution", "hidden-in-student"}
    return tuple(_stubbed(source, cell) for cell in source.cells if not away & set(cell.tags))


def blocks_of(source: Source, cell: Cell) -> list[Block]:
    """The marked blocks of a cell."""
    return [part for part in _parts(source, cell) if isinstance(part, Block)]


def stub(block: Block, exercise: str) -> list[str]:
    """The lines that stand for a block in the student's version."""
    return [f'{block.indent}raise NotImplementedError("{exercise}")', *block.kept]


def _solved(source: Source, cell: Cell) -> Cell:
    if cell.kind == "markdown":
        return _folded(cell)
    lines: list[str] = []
    for part in _parts(source, cell):
        lines += part.solution if isinstance(part, Block) else [part]
    return _with_code(cell, lines)


def _stubbed(source: Source, cell: Cell) -> Cell:
    if cell.kind == "markdown":
        return _folded(cell)
    lines: list[str] = []
    for part in _parts(source, cell):
        lines += stub(part, cell.id or "") if isinstance(part, Block) else [part]
    stubbed = _with_code(cell, blanked("\n".join(lines)).split("\n"))
    if "exercise" not in cell.tags:
        return stubbed
    # "Run all" goes on after a stub, in JupyterLab as in CI.
    return replace(stubbed, tags=(*cell.tags, "raises-exception"))


def _with_code(cell: Cell, lines: list[str]) -> Cell:
    text = "\n".join(lines).strip("\n")
    return replace(cell, texts={"en": text, "fr": text})


def _folded(cell: Cell) -> Cell:
    """A hint is closed until it is asked for."""
    numbers = [tag[-1] for tag in cell.tags if tag.startswith("hint-")]
    if not numbers:
        return cell
    texts: dict[Lang, str] = {}
    for lang, text in cell.texts.items():
        summary = _SUMMARY[lang].format(number=numbers[0])
        texts[lang] = f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"
    return replace(cell, texts=texts)


def _parts(source: Source, cell: Cell) -> Iterator[str | Block]:
    """The lines of a cell, each marked block in one piece."""
    opened: re.Match[str] | None = None
    solution: list[str] = []
    kept: list[str] = []
    for offset, line in enumerate(cell.code.split("\n"), cell.line + 1):
        where: dict[str, Fact] = {"path": str(source.path), "line": offset}
        if match := _OPEN.fullmatch(line):
            if opened:
                raise LabError("nb_block_open", **where)
            opened, solution, kept = match, [], []
        elif _CLOSE.fullmatch(line):
            if not opened:
                raise LabError("nb_block_close", **where)
            yield Block(opened.group(1), tuple(solution), tuple(kept))
            opened = None
        elif not opened:
            yield line
        elif match := _KEEP.fullmatch(line):
            indent = line[: len(line) - len(line.lstrip())]
            kept.append(indent + match.group(1))
        else:
            solution.append(line)
    if opened:
        raise LabError("nb_block_end", path=str(source.path), line=cell.line)
