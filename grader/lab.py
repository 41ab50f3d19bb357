"""Find a lab, read it, and say what is wrong with it, in the author's terms."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from grader.errors import LabError
from grader.lab_runs import check_runs, run_files
from grader.nearest import near_miss
from grader.records import (
    ArtifactSpec,
    Cause,
    Collect,
    ExecuteSpec,
    Hints,
    Item,
    Json,
    Lab,
    Limits,
    ModelRun,
    Record,
    Service,
    StartSpec,
    Text,
)

__all__ = ["asked_items", "checks_digest", "find_lab", "load_lab", "near_miss", "run_digest"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TOP = (
    "id", "kind", "minutes", "title", "item", "data", "collect", "service", "start", "execute", "artifact", "rebuild",
    "limits",
)  # fmt: skip
_FIELDS = {"item": "items", "start": "starts", "execute": "executions", "artifact": "artifacts"}
_START_FIELDS = frozenset(StartSpec.model_fields) - {"options"}
_DECIDES_A_RUN = {"kind", "collect", "service", "starts", "executions", "artifacts", "rebuild", "limits"}
# The key in lab.toml -> the model of the table behind it; "*" is any name, "#" any position.
_TABLES: dict[tuple[str, ...], type[Record]] = {
    ("title",): Text,
    ("item", "#"): Item,
    ("item", "#", "title"): Text,
    ("item", "#", "causes", "*"): Cause,
    ("item", "#", "causes", "*", "hints"): Hints,
    ("collect",): Collect,
    ("service",): Service,
    ("start", "*"): StartSpec,
    ("execute", "*"): ExecuteSpec,
    ("artifact", "*"): ArtifactSpec,
    ("artifact", "*", "runs", "*"): ModelRun,
    ("limits",): Limits,
}
_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "greater_than": "a number above 0",
    "less_than_equal": "a smaller number",
}


def find_lab(argument: str, root: Path) -> Path:
    """The folder of the lab meant by `05`, `05-docker`, `docker`, `labs/05` (all below `root`) or by a path."""
    labs = {folder.name: folder for folder in sorted(root.glob("*/")) if _is_lab(folder) and not folder.is_symlink()}
    as_path = Path(argument)
    if ("/" in argument or argument in (".", "..")) and _is_lab(as_path):
        return as_path.resolve()
    parent, _, name = argument.rstrip("/").rpartition("/")
    if parent in ("", ".", root.name, f"./{root.name}") or os.path.abspath(parent) == os.path.abspath(root):
        matches = [folder for label, folder in labs.items() if _means(name, label)]
        if len(matches) > 1:
            raise LabError("ambiguous_lab", name=argument, matches=", ".join(folder.name for folder in matches))
        if matches:
            return matches[0].resolve()
    if _is_lab(as_path):
        return as_path.resolve()
    raise LabError("unknown_lab", name=argument, near=near_miss(name, labs))


def load_lab(path: Path) -> Lab:
    """The lab in the folder `path`. What is wrong with its `lab.toml` is a `LabError` that says where and why."""
    file = path / "lab.toml"
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError("unknown_lab", name=str(path), near="-") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabError("lab_broken", path=str(file), where="lab.toml", problem=str(error)) from error
    shaped = _shaped(file, data)
    try:
        text = json.dumps(shaped | {"root": str(path.resolve()), "digest": ""}, allow_nan=False, default=str)
        lab = Lab.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise _as_lab_error(file, data, error) from error
    except ValueError as error:
        raise LabError("lab_broken", path=str(file), where="lab.toml", problem="nan / inf") from error
    _check_names(file, lab)
    _check_needs(file, lab)
    check_runs(file, lab)
    return lab.model_copy(update={"digest": _digest(path.resolve(), lab)})


def checks_digest(lab: Lab) -> str:
    """The digest of what judges (checks and rubric): if only this changed, stored evidence can be judged again."""
    root = Path(lab.root)
    rubric = json.dumps([item.model_dump(mode="json") for item in lab.items], sort_keys=True)
    return _hash(root, [root / "checks.py", root / "private" / "checks.py"], rubric)


def run_digest(lab: Lab) -> str:
    """The digest of what decides what a run of this lab measures: while it stays, evidence can be judged again."""
    root = Path(lab.root)
    asked = lab.model_dump(mode="json", include=_DECIDES_A_RUN)
    data = [path for path in _private(root) if path != root / "private" / "checks.py"]
    files = [root / "inputs.py", *data, *_models(root, lab), *run_files(lab)]
    return _hash(root, files, json.dumps(asked, sort_keys=True))


def asked_items(lab: Lab, only: str | None, exercise: str | None = None) -> frozenset[str] | None:
    """The items that are to be judged, those that they need included; None for all of them.

    Raises `LabError` where no item or exercise has that name.
    """
    items = {item.id: item for item in lab.items}
    exercises = {item.exercise for item in lab.items if item.exercise is not None}
    if only is not None and only not in items:
        raise LabError("unknown_item", lab=lab.id, name=only, near=near_miss(only, items))
    if exercise is not None and exercise not in exercises:
        raise LabError("unknown_exercise", lab=lab.id, name=exercise, near=near_miss(exercise, exercises))
    if only is None and exercise is None:
        return None
    waiting = [item.id for item in lab.items if item.id == only or (exercise and item.exercise == exercise)]
    wanted: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += items[name].needs
    return frozenset(wanted)


def _is_lab(folder: Path) -> bool:
    try:
        return (folder / "lab.toml").is_file()
    except (OSError, ValueError):  # a name too long, a NUL: no file system has it
        return False


def _means(name: str, label: str) -> bool:
    number, _, slug = label.partition("-")
    return name in (label, slug) or (name.isdecimal() and number.isdecimal() and name.lstrip("0") == number.lstrip("0"))


def _shaped(file: Path, data: dict[str, Json]) -> dict[str, Json]:
    """The tables of lab.toml under the names of `Lab`; a start's own sub-tables become the options of its probes."""
    for key in data:
        if key not in _TOP:
            raise LabError("lab_unknown_key", path=str(file), where="lab.toml", key=key, near=near_miss(key, _TOP))
    shaped = dict(data)
    shaped["items"] = shaped.pop("item", [])
    shaped |= {field: shaped.pop(key) for key, field in _FIELDS.items() if key in shaped and key != "start"}
    starts = shaped.pop("start", {})
    if isinstance(starts, dict):
        starts = {name: _start(table) if isinstance(table, dict) else table for name, table in starts.items()}
    return shaped | {"starts": starts}


def _start(table: dict[str, Json]) -> dict[str, Json]:
    options = {key: value for key, value in table.items() if key not in _START_FIELDS and isinstance(value, dict)}
    fields = {key: value for key, value in table.items() if key not in options}
    probes = fields.get("probes", [])
    if isinstance(probes, list):  # a probe with a table of its own need not be named again
        fields["probes"] = [name for name in options if name not in probes] + probes
    return fields | {"options": options}


def _as_lab_error(file: Path, data: dict[str, Json], error: ValidationError) -> LabError:
    first = error.errors()[0]
    written = {field: key for key, field in _FIELDS.items()}
    place = tuple(written.get(str(part), part) if at == 0 else part for at, part in enumerate(first["loc"]))
    key, where = str(place[-1]), _where(data, place[:-1])
    if first["type"] == "extra_forbidden":
        near = near_miss(key, _allowed(place[:-1]))
        return LabError("lab_unknown_key", path=str(file), where=where, key=key, near=near)
    if place[4:5] == ("hints",):
        return LabError("lab_hints", path=str(file), where=_where(data, place[:4]))
    if first["type"] == "missing":
        if "causes" in place:
            return LabError("lab_cause_words", path=str(file), where=where, lang=key)
        return LabError("lab_missing_key", path=str(file), where=where, key=key)
    if first["type"] == "literal_error":
        return LabError("lab_choice", path=str(file), where=where, key=key, expected=first["ctx"]["expected"])
    if expected := _EXPECTED.get(first["type"]):
        return LabError("lab_wrong_type", path=str(file), where=where, key=key, expected=expected)
    return LabError("lab_broken", path=str(file), where=f"{where}, {key}", problem=first["msg"])


def _allowed(place: tuple[str | int, ...]) -> tuple[str, ...]:
    for pattern, model in _TABLES.items():
        if len(pattern) == len(place) and all(p in ("*", "#") or p == q for p, q in zip(pattern, place, strict=True)):
            return tuple(field.alias or name for name, field in model.model_fields.items() if name != "options")
    return _TOP


def _where(data: dict[str, Json], place: tuple[str | int, ...]) -> str:
    """The table at `place` as its header reads in lab.toml, an item by its id: `[item.causes.root] of nonroot`."""
    names = ".".join(str(part) for part in place if not isinstance(part, int))
    if len(place) > 1 and isinstance(place[1], int):
        item = data["item"][place[1]]
        owner = item.get("id", f"#{place[1] + 1}") if isinstance(item, dict) else f"#{place[1] + 1}"
        return f"[{names}] {owner}"
    return f"[{names}]" if names else "lab.toml"


def _check_names(file: Path, lab: Lab) -> None:
    if not lab.items:
        raise LabError("lab_missing_key", path=str(file), where="lab.toml", key="item")
    seen: set[str] = set()
    for item in lab.items:
        if item.id in seen:
            raise LabError("lab_item_twice", path=str(file), item=item.id)
        seen.add(item.id)
        for name, cause in item.causes.items():
            for lang in ("en", "fr"):
                if not getattr(cause, lang).strip():
                    where = f"[item.causes.{name}] {item.id}"
                    raise LabError("lab_cause_words", path=str(file), where=where, lang=lang)
    for name in (lab.id, *seen, *lab.starts, *lab.executions, *lab.artifacts):
        if not _NAME.fullmatch(name):
            raise LabError("lab_bad_name", path=str(file), name=name)


def _check_needs(file: Path, lab: Lab) -> None:
    needs = {item.id: item.needs for item in lab.items}
    for item in lab.items:
        for need in item.needs:
            if need not in needs:
                raise LabError("lab_need_unknown", path=str(file), item=item.id, need=need, near=near_miss(need, needs))
    settled: set[str] = set()

    def visit(item_id: str, trail: tuple[str, ...]) -> None:
        if item_id in trail:
            cycle = " -> ".join((*trail[trail.index(item_id) :], item_id))
            raise LabError("lab_needs_cycle", path=str(file), cycle=cycle)
        if item_id not in settled:
            for need in needs[item_id]:
                visit(need, (*trail, item_id))
            settled.add(item_id)

    for item_id in needs:
        visit(item_id, ())


def _digest(root: Path, lab: Lab) -> str:
    own = [root / name for name in ("lab.toml", "checks.py", "inputs.py")]
    return _hash(root, [*own, *_private(root), *_models(root, lab), *run_files(lab)])


def _models(root: Path, lab: Lab) -> list[Path]:
    """Where the models of the starts may stand, the lab's own before the common ones."""
    names = sorted({spec.model for spec in lab.starts.values()})
    folders = (root / "models", root.parent / "common" / "models")
    return [folder / f"{name}.onnx" for name in names for folder in folders]


def _private(root: Path) -> Iterator[Path]:
    for path in sorted((root / "private").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _hash(root: Path, files: Iterable[Path], text: str = "") -> str:
    """One digest of names and contents; a file that is absent counts as such."""
    total = hashlib.sha256(text.encode())
    for file in files:
        if file.is_file():
            name = file.relative_to(root if file.is_relative_to(root) else root.parent).as_posix()
            total.update(f"\0{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return f"sha256:{total.hexdigest()}"
