"""The notebooks of the course, and one run of each in each way, made when it is first asked for."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

from grader.lab import load_lab
from grader.lab_runs import student_files
from grader.notebooks.running import Order, Ran, run_notebook
from grader.notebooks.source import list_sources, read_source
from grader.notebooks.versions import Version
from grader.records import Lab, Lang

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
NAMES = [path.stem for path in list_sources(NOTEBOOKS / "source")]
SEEDS = (0, 12345)


def source_path(name: str) -> Path:
    return NOTEBOOKS / "source" / f"{name}.py"


def lab_of(name: str) -> Lab | None:
    folder = ROOT / "labs" / name
    return load_lab(folder) if (folder / "lab.toml").is_file() else None


def run_in(folder: Path, name: str, lang: Lang, version: Version, seed: int, fast: bool = True) -> Ran:
    """One run, kept in `folder`, which must not exist."""
    lab = lab_of(name)
    order = Order(read_source(source_path(name)), lang, version, fast, seed)
    return run_notebook(order, student_files(lab, lang) if lab else {}, folder, ROOT)


@cache
def ran(name: str, lang: Lang, version: Version, seed: int) -> Ran:
    """One fast run; two tests that ask for the same one share it."""
    folder = Path(tempfile.mkdtemp(prefix="notebook-"))
    try:
        return run_in(folder / "run", name, lang, version, seed)
    finally:
        shutil.rmtree(folder)
