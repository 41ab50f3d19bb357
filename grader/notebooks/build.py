"""Notebook files out of a source: the same bytes every time, and which files are no longer what their source says."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from grader.durable import write_whole
from grader.notebooks.source import LANGS, Cell, Source
from grader.notebooks.versions import Version, version_of
from grader.records import Lang

_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_LANG_PARAMETER = re.compile(r'^lang = "en"', re.MULTILINE)


def notebook_bytes(source: Source, version: Version, lang: Lang) -> bytes:
    """The notebook file (nbformat 4.5) of one version in one language. Raises `LabError`."""
    cells = version_of(source, version)
    names = _names(source)
    notebook = {
        "cells": [_written(cell, lang, names[cell.line]) for cell in cells],
        "metadata": {
            "kernelspec": _KERNEL,
            "language_info": {"name": "python"},
            "workbench": {"lang": lang, "notebook": source.name, "version": version},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def target(folder: Path, source: Source, lang: Lang) -> Path:
    """Where a notebook stands below the folder of its version."""
    return folder / lang / f"{source.name}.ipynb"


def build(source: Source, folder: Path, version: Version) -> list[Path]:
    """Write the notebook in each language below `folder`; the files that were not so already."""
    changed = stale(source, folder, version)
    for lang in LANGS:
        path = target(folder, source, lang)
        if path in changed:
            write_whole(path, notebook_bytes(source, version, lang))
    return changed


def stale(source: Source, folder: Path, version: Version) -> list[Path]:
    """The files below `folder` that are absent or differ from what their source says."""
    paths = {target(folder, source, lang): notebook_bytes(source, version, lang) for lang in LANGS}
    return [path for path, content in paths.items() if not path.is_file() or path.read_bytes() != content]


def orphans(sources: Iterable[Source], folder: Path) -> list[Path]:
    """Notebooks below `folder` that no source makes."""
    known = {source.name for source in sources}
    return sorted(path for lang in LANGS for path in (folder / lang).glob("*.ipynb") if path.stem not in known)


def _names(source: Source) -> dict[int, str]:
    """The id of each cell by its line in the source: from its English text, so that other cells' edits leave it."""
    seen: Counter[str] = Counter()
    names = {}
    for cell in source.cells:
        digest = hashlib.sha256(f"{source.name}\0{cell.kind}\0{cell.texts['en']}".encode()).hexdigest()[:12]
        seen[digest] += 1
        names[cell.line] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return names


def _written(cell: Cell, lang: Lang, name: str) -> dict[str, Any]:
    tags = [*cell.tags, *(["nbval-check-output"] if cell.stable else [])]
    meta = {"tags": tags, "exercise": cell.id, "minutes": cell.minutes, "items": list(cell.items)}
    text = cell.texts[lang]
    if "parameters" in cell.tags:
        text = _LANG_PARAMETER.sub(f'lang = "{lang}"', text)
    written: dict[str, Any] = {
        "cell_type": cell.kind,
        "id": name,
        "metadata": {key: value for key, value in meta.items() if value},
        "source": text.splitlines(keepends=True),
    }
    return written | ({"execution_count": None, "outputs": []} if cell.kind == "code" else {})
