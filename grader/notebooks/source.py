"""A notebook's source, `NN-slug.py` in jupytext's percent format: code once, Markdown cells in English and French.

Each `[markdown] lang="en"` cell is followed by its twin `lang="fr"`; the pair is one `Cell` here. `KEYS` are what the
marker of a cell may carry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from grader.errors import Fact, LabError
from grader.lab import near_miss
from grader.records import Lang

LANGS: tuple[Lang, ...] = ("en", "fr")
KEYS: Mapping[str, tuple[type, ...]] = {
    "lang": (str,),
    "tags": (list,),
    "id": (str,),
    "minutes": (int, float),
    "items": (list,),
    "stable": (bool,),
}
_NAME = re.compile(r"(\d\d)-[a-z0-9][a-z0-9-]*")
_MARKER = re.compile(r"# %%(?:\s|$)")
_IGNORED = frozenset({"lines_to_next_cell", "lines_to_end_of_cell_marker", "jupyter"})


@dataclass(frozen=True)
class Cell:
    """One cell of the notebook, in both languages; code is the same in both."""

    kind: Literal["markdown", "code"]
    texts: Mapping[Lang, str]
    line: int  # of its (English) marker in the source
    tags: tuple[str, ...] = ()
    id: str | None = None
    minutes: float | None = None
    items: tuple[str, ...] = ()
    stable: bool = False

    @property
    def code(self) -> str:
        """The text of a code cell."""
        return self.texts["en"]


@dataclass(frozen=True)
class Source:
    """A notebook as its author wrote it."""

    path: Path
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """`02-onnx`."""
        return self.path.stem

    @property
    def number(self) -> str:
        """`02`."""
        return self.name[:2]


@dataclass(frozen=True)
class _Raw:
    """One cell as it stands in the file."""

    kind: str
    text: str
    line: int
    meta: Mapping[str, Any] = field(default_factory=dict)


def find_source(argument: str, folder: Path) -> Path:
    """The source meant by `02`, `2`, `02-onnx`, `onnx` (all below `folder`) or by a path. Raises `LabError`."""
    as_path = Path(argument)
    if as_path.suffix == ".py" and as_path.is_file():
        return as_path
    sources = {path.stem: path for path in list_sources(folder)}
    for name, path in sources.items():
        number, _, slug = name.partition("-")
        wanted = argument.rstrip("/").rpartition("/")[2].removesuffix(".py")
        if wanted in (name, slug) or (wanted.isdecimal() and wanted.lstrip("0") == number.lstrip("0")):
            return path
    raise LabError("nb_unknown", name=argument, near=near_miss(argument, sources), folder=str(folder))


def list_sources(folder: Path) -> list[Path]:
    """All sources in `folder`, by number."""
    return sorted(path for path in folder.glob("*.py") if _NAME.fullmatch(path.stem))


def read_source(path: Path) -> Source:
    """The source in `path`. Raises `LabError` saying what stops it from being built, and in which line."""
    if not _NAME.fullmatch(path.stem):
        raise LabError("nb_name", path=str(path))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError("nb_unreadable", path=str(path), problem=type(error).__name__) from error
    cells = tuple(_paired(path, _raw_cells(path, text)))
    if not cells:
        raise LabError("nb_unreadable", path=str(path), problem="0 cells")
    return Source(path, cells)


def _raw_cells(path: Path, text: str) -> list[_Raw]:
    import jupytext

    try:
        notebook = jupytext.reads(text, "py:percent")
    except Exception as error:  # the library has no base class for what it raises
        raise LabError("nb_unreadable", path=str(path), problem=str(error).splitlines()[0][:200]) from error
    lines = [number for number, line in enumerate(text.splitlines(), 1) if _MARKER.match(line)]
    if len(lines) != len(notebook.cells):  # text before the first marker makes a cell of its own
        raise LabError("nb_before_first", path=str(path), line=lines[0] if lines else 1)
    found = []
    for line, cell in zip(lines, notebook.cells, strict=True):
        meta = {key: value for key, value in cell.metadata.items() if key not in _IGNORED}
        _check_keys(path, line, meta)
        found.append(_Raw(cell.cell_type, cell.source.strip("\n"), line, meta))
    return found


def _check_keys(path: Path, line: int, meta: Mapping[str, Any]) -> None:
    where: dict[str, Fact] = {"path": str(path), "line": line}
    for key, value in meta.items():
        if key not in KEYS:
            raise LabError("nb_key", **where, key=key, near=near_miss(key, KEYS))
        listed = isinstance(value, list) and not all(isinstance(entry, str) for entry in value)
        if not isinstance(value, KEYS[key]) or listed or (isinstance(value, bool) and key != "stable"):
            raise LabError("nb_key_type", **where, key=key)


def _paired(path: Path, raw: list[_Raw]) -> Iterator[Cell]:
    """Code cells as they are, Markdown cells with their twins."""
    waiting = iter(raw)
    for cell in waiting:
        if cell.kind == "code":
            if "lang" in cell.meta:
                raise LabError("nb_code_lang", path=str(path), line=cell.line)
            yield _cell("code", {"en": cell.text, "fr": cell.text}, cell.line, cell.meta)
            continue
        if cell.kind != "markdown" or cell.meta.get("lang") != "en":
            raise LabError("nb_lang", path=str(path), line=cell.line)
        twin = next(waiting, None)
        if twin is None or twin.kind != "markdown" or twin.meta.get("lang") != "fr":
            raise LabError("nb_twin", path=str(path), line=cell.line)
        for key in {*cell.meta, *twin.meta} - {"lang"}:
            if key in twin.meta and twin.meta[key] != cell.meta.get(key):
                raise LabError("nb_twin_key", path=str(path), line=twin.line, key=key)
        yield _cell("markdown", {"en": cell.text, "fr": twin.text}, cell.line, cell.meta)


def _cell(kind: Literal["markdown", "code"], texts: Mapping[Lang, str], line: int, meta: Mapping[str, Any]) -> Cell:
    return Cell(
        kind, texts, line, tuple(meta.get("tags", ())), meta.get("id"), meta.get("minutes"),
        tuple(meta.get("items", ())), meta.get("stable", False),
    )  # fmt: skip
