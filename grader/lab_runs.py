"""What a lab executes and looks at: its tables hold together, and the files that they name are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from grader.errors import LabError
from grader.nearest import near_miss
from grader.records import ArtifactSpec, ExecuteSpec, Lab, Lang

TAKEN = frozenset(["submission", "build", "image", "rebuild"])  # sections that every lab has or may have


def check_runs(file: Path, lab: Lab) -> None:
    """Raise `LabError` for the first `[execute.*]`, `[artifact.*]` or `sections` that cannot work."""
    for name in lab.data:
        _check_path(file, "lab.toml", name)
        if lab_file(lab, name) is None:
            raise LabError("lab_file_missing", path=str(file), where="lab.toml", name=name)
    names = [*lab.starts, *lab.executions, *lab.artifacts]
    for name in names:
        if name in TAKEN or names.count(name) > 1:
            raise LabError("lab_section_twice", path=str(file), name=name)
    for name, spec in lab.executions.items():
        _check_execution(file, lab, f"[execute.{name}]", spec)
    for name, artifact in lab.artifacts.items():
        _check_artifact(file, lab, f"[artifact.{name}]", artifact)
    known = [*names, "submission", *TAKEN]
    for item in lab.items:
        for section in item.sections:
            if section not in known:
                near = near_miss(section, set(known))
                raise LabError("lab_section_unknown", path=str(file), item=item.id, name=section, near=near)


def harness_folder(lab: Lab, name: str) -> Path | None:
    """The folder of trusted scripts called `name`; None where it is in neither place (a student's copy)."""
    folders = (Path(lab.root) / part / name for part in ("harness", "private/harness"))
    return next((folder for folder in folders if folder.is_dir()), None)


def lab_file(lab: Lab, name: str) -> Path | None:
    """A file that the lab names: of its own data/, of its own folder, or of labs/common; the first of these."""
    root = Path(lab.root)
    places = (root / "data" / name, root / name, root.parent / "common" / name)
    return next((path for path in places if path.is_file()), None)


def student_files(lab: Lab, lang: Lang) -> dict[str, Path]:
    """What a student starts from: name in the work folder -> file. The starter, the data, and the lab's notebook."""
    root = Path(lab.root)
    found = {f"data/{name}": path for name, path in _files_below(root / "data").items()}
    for name in (*lab.data, *(name for spec in lab.executions.values() for name in spec.data)):
        if (path := lab_file(lab, name)) is not None:
            found[f"data/{name}"] = path
    notebook = root.parent.parent / "notebooks" / lang / f"{lab.id}.ipynb"
    if notebook.is_file():
        found[notebook.name] = notebook
    return found | _files_below(root / "starter")


def harness_files(folder: Path) -> dict[str, Path]:
    """Relative name -> path of every file of a harness."""
    return _files_below(folder)


def run_files(lab: Lab) -> Iterator[Path]:
    """The files beside lab.toml that decide what a run of this lab measures."""
    for spec in lab.executions.values():
        if spec.harness is not None and (folder := harness_folder(lab, spec.harness)) is not None:
            yield from harness_files(folder).values()
        yield from (path for name in spec.data if (path := lab_file(lab, name)) is not None)
    for artifact in lab.artifacts.values():
        for run in artifact.runs.values():
            if run.pair is not None and (path := lab_file(lab, run.pair)) is not None:
                yield path


def _files_below(folder: Path) -> dict[str, Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path for path in found}


def _check_execution(file: Path, lab: Lab, where: str, spec: ExecuteSpec) -> None:
    if (spec.notebook is None) == (not spec.command):
        raise LabError("lab_notebook_or_command", path=str(file), where=where)
    for name in (spec.notebook, spec.harness, *spec.data, *spec.take):
        _check_path(file, where, name)
    if spec.harness is not None and harness_folder(lab, spec.harness) is None and _whole(lab):
        raise LabError("lab_file_missing", path=str(file), where=where, name=f"harness/{spec.harness}")
    for name in spec.data:
        if lab_file(lab, name) is None:
            raise LabError("lab_file_missing", path=str(file), where=where, name=name)


def _check_artifact(file: Path, lab: Lab, where: str, spec: ArtifactSpec) -> None:
    _check_path(file, where, spec.file)
    if spec.from_ is not None:
        if spec.from_ not in lab.executions:
            near = near_miss(spec.from_, lab.executions)
            raise LabError("lab_from_unknown", path=str(file), where=where, name=spec.from_, near=near)
        take = lab.executions[spec.from_].take
        if spec.file not in take:
            near = near_miss(spec.file, take)
            raise LabError("lab_not_taken", path=str(file), where=where, name=spec.file, owner=spec.from_, near=near)
    if spec.runs and spec.format not in ("onnx", "safetensors"):
        raise LabError("lab_choice", path=str(file), where=where, key="format", expected="'onnx', 'safetensors'")
    for run in spec.runs.values():
        _check_path(file, where, run.pair)
        if not run.batches or min(run.batches) < 1:
            raise LabError("lab_wrong_type", path=str(file), where=where, key="batches", expected="numbers above 0")
        if run.pair is not None and lab_file(lab, run.pair) is None:
            raise LabError("lab_file_missing", path=str(file), where=where, name=run.pair)


def _check_path(file: Path, where: str, name: str | None) -> None:
    """A name is a plain relative path: it ends up inside a folder of ours."""
    if name is not None and (not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts):
        raise LabError("lab_bad_path", path=str(file), where=where, name=name)


def _whole(lab: Lab) -> bool:
    """Whether this is the teacher's copy: a student's has no private/."""
    return (Path(lab.root) / "private").is_dir()
