"""The specimens of a lab as its author laid them down, and each one made into a submission."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from pydantic import Field, ValidationError

from grader.errors import LabError
from grader.lab import near_miss
from grader.records import Lab, Record
from grader.specimens.matrix import Kind

EXPECT, REMOVE = "expect.toml", "remove.txt"
_FAMILIES: dict[str, Kind] = {"mutants": "mutant", "alternatives": "alternative"}
_LITTER = ("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache")


class Expect(Record):
    """What `expect.toml` says. Items that it does not name pass; those of a null submission lose their points."""

    fails: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()  # may be blocked although they do not depend on an item of `fails`
    cause: str | None = None  # of the first item that fails
    score: float | None = None
    earned: tuple[str, ...] = ()
    remarks: Mapping[str, str] = Field(default_factory=dict)
    over_solution: bool = False  # an alternative that holds only what differs from the solution, as mutants do

    @property
    def named(self) -> frozenset[str]:
        return frozenset((*self.fails, *self.partial, *self.blocked, *self.earned, *self.remarks))


@dataclass(frozen=True)
class Specimen:
    """One submission to be: `base` is copied first, then `overlay` over it, then the files of `remove` go."""

    name: str
    kind: Kind
    expect: Expect
    base: Path | None = None
    overlay: Path | None = None
    remove: tuple[str, ...] = ()


def specimens_of(lab: Lab, home: Path) -> tuple[Specimen, ...]:
    """Every specimen of `lab` in the checkout `home`. A broken one is a `LabError` here, before anything runs."""
    solution, root = home / "solutions" / lab.id, home / "tests" / "specimens" / lab.id
    starter = Path(lab.root) / "starter"
    for folder in (solution, starter):
        if not folder.is_dir():
            raise LabError("specimen_folder", lab=lab.id, path=str(folder))
    found = [
        Specimen("solution", "solution", Expect(score=lab.max_score), solution),
        Specimen("starter", "starter", Expect(), starter),
        Specimen("empty", "empty", Expect(score=0)),
    ]
    if (root / "null").is_dir():
        found.append(Specimen("null", "null", _expect(root / "null", lab), root / "null"))
    for family, kind in _FAMILIES.items():
        for folder in sorted(path for path in (root / family).glob("*") if path.is_dir()):
            found.append(_specimen(f"{family}/{folder.name}", kind, folder, solution, lab))
    return tuple(found)


def select(specimens: tuple[Specimen, ...], only: str | None) -> tuple[Specimen, ...]:
    """The specimens meant by a glob or the beginning of a name; the family (`mutants/`) may be left out."""
    if only is None:
        return specimens
    chosen = tuple(specimen for specimen in specimens if _means(only, specimen.name))
    if not chosen:
        raise LabError("specimen_unknown", name=only, near=near_miss(only, [specimen.name for specimen in specimens]))
    return chosen


def materialise(specimen: Specimen, folder: Path) -> None:
    """Make the submission in the new folder `folder`."""
    folder.mkdir(parents=True)
    for source in (specimen.base, specimen.overlay):
        if source is not None:
            shutil.copytree(source, folder, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_LITTER))
    for name in (EXPECT, REMOVE):
        (folder / name).unlink(missing_ok=True)
    for name in specimen.remove:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _specimen(name: str, kind: Kind, folder: Path, solution: Path, lab: Lab) -> Specimen:
    expect = _expect(folder, lab)
    if kind == "alternative":
        score = lab.max_score if expect.score is None else expect.score
        expect = expect.model_copy(update={"score": score})
        if expect.over_solution:
            return Specimen(name, kind, expect, solution, folder, _removed(folder, solution))
        return Specimen(name, kind, expect, folder)
    if not (expect.fails or expect.partial):
        raise LabError("specimen_expect", path=str(folder / EXPECT), problem="fails = [] ?")
    return Specimen(name, kind, expect, solution, folder, _removed(folder, solution))


def _expect(folder: Path, lab: Lab) -> Expect:
    file = folder / EXPECT
    try:
        expect = Expect.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise LabError("specimen_expect", path=str(file), problem=error.strerror or type(error).__name__) from error
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        raise LabError("specimen_expect", path=str(file), problem=problem) from error
    except ValueError as error:
        raise LabError("specimen_expect", path=str(file), problem=str(error)) from error
    items = [item.id for item in lab.items]
    for name in sorted(expect.named.difference(items)):
        raise LabError("specimen_item", path=str(file), item=name, near=near_miss(name, items))
    return expect


def _removed(folder: Path, solution: Path) -> tuple[str, ...]:
    file = folder / REMOVE
    if not file.is_file():
        return ()
    names = tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not (solution / path).exists():
            raise LabError("specimen_remove", path=str(file), name=name, solution=str(solution))
    return names


def _means(only: str, name: str) -> bool:
    return any(fnmatchcase(label, only) or label.startswith(only) for label in (name, name.rpartition("/")[2]))
