"""Run folders on disk, `runs/<lab>/<run-id>/`: each file whole or absent. And which results may be reused."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from grader.durable import disk_trouble, sync_folder, write_whole
from grader.errors import LabError
from grader.records import Evidence, Json, Plan, Record, Report, Staged, Verdict

_RUN_ID = re.compile(r"[0-9]{8}T[0-9]{12}-[0-9a-f]{6}")
_KEY = re.compile(r"sha256:([0-9a-f]{64})")
_ACTIVE = "active"  # the reaper's ledgers
_WORK = "work"  # temporary copies of living runs
_INDEX = ".index"
_PRUNED = ".pruned-"
R = TypeVar("R", bound=Record)


class Run:
    """One run folder. It is complete once it holds a readable `report.json`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def lab(self) -> str:
        return self.path.parent.name

    @property
    def interrupted(self) -> bool:
        return not (self.path / "report.json").is_file()

    def write(self, name: str, value: Record | Sequence[Record] | str) -> Path:
        """The file `name` of this run, written whole: a reader sees the old content, the new one, or none."""
        path = self.path / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"not a name inside a run folder: {name}")
        write_whole(path, (value if isinstance(value, str) else _as_json(value)).encode(errors="replace"))
        return path

    def read_staged(self) -> Staged:
        return self._read("staged.json", Staged)

    def read_plan(self) -> Plan:
        return self._read("plan.json", Plan)

    def read_evidence(self) -> Evidence:
        return self._read("evidence.json", Evidence)

    def read_report(self) -> Report:
        return self._read("report.json", Report)

    def read_verdicts(self) -> tuple[Verdict, ...]:
        text = self._text("verdicts.json")
        try:
            return tuple(Verdict.model_validate(row) for row in json.loads(text))
        except (ValueError, TypeError) as error:
            raise LabError("run_damaged", run=self.id, file="verdicts.json") from error

    def _read(self, name: str, kind: type[R]) -> R:
        try:
            return kind.model_validate_json(self._text(name))
        except ValidationError as error:
            raise LabError("run_damaged", run=self.id, file=name) from error

    def _text(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise LabError("run_incomplete", run=self.id, file=name) from error


class Store:
    """All runs under one folder. Folders are the truth; losing the index only costs a second grading."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def active(self) -> Path:
        """Where the ledgers of living runs stand."""
        return self.root / _ACTIVE

    @property
    def work(self) -> Path:
        """Where living runs keep their temporary files, each in a folder named by its run."""
        return self.root / _WORK

    def new_run(self, lab_id: str) -> Run:
        """An empty run folder whose id sorts by time."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        run = Run(self.root / lab_id / f"{stamp}-{secrets.token_hex(3)}")
        try:
            (run.path / "evidence").mkdir(parents=True)
            sync_folder(run.path)
            sync_folder(run.path.parent)
        except OSError as error:
            raise disk_trouble(error, run.path) from error
        return run

    def list(self) -> tuple[Run, ...]:
        """Every run, newest first, interrupted ones included."""
        folders = self.root.glob("*/*")
        runs = (Run(path) for path in folders if _RUN_ID.fullmatch(path.name) and path.is_dir())
        return tuple(
            sorted((run for run in runs if run.lab not in (_ACTIVE, _WORK)), key=lambda run: run.id, reverse=True)
        )

    def find(self, argument: str | None = None) -> Run:
        """The run meant by an id, the beginning of one, a path, or nothing at all (the latest)."""
        runs = self.list()
        if argument is None:
            if not runs:
                raise LabError("no_runs", root=str(self.root))
            return runs[0]
        matches = [run for run in runs if argument and run.id.startswith(argument)]
        if len(matches) > 1:
            raise LabError("ambiguous_run", name=argument, matches=", ".join(run.id for run in matches[:5]))
        if matches:
            return matches[0]
        path = Path(argument).resolve()
        if _RUN_ID.fullmatch(path.name) and path.is_dir():
            return Run(path)
        raise LabError("unknown_run", name=argument, root=str(self.root))

    def prune(self, keep: int) -> tuple[str, ...]:
        """Ids of the runs removed: all but the newest `keep` of each lab, and never one that still runs."""
        removed: list[str] = []
        kept: dict[str, int] = {}
        for run in self.list():
            kept[run.lab] = kept.get(run.lab, 0) + 1
            if kept[run.lab] > keep and not (self.active / run.id).exists():
                # Renamed first: a removal that is cut short must not look like a run.
                try:
                    os.replace(run.path, run.path.with_name(_PRUNED + run.id))
                except OSError as error:
                    raise disk_trouble(error, run.path) from error
                removed.append(run.id)
        for leftover in self.root.glob(f"*/{_PRUNED}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for entry in (self.root / _INDEX).glob("*.json"):
            if self._recorded(entry) is None:
                entry.unlink(missing_ok=True)
        return tuple(removed)

    def remember(self, key: str, run: Run) -> None:
        """Let `recall(key)` answer with this run, if its mark is final."""
        report = run.read_report()
        if report.status in ("infra", "review") or report.provisional:
            return
        entry = {"lab": run.lab, "run": run.id, "sha256": _file_hash(run.path / "report.json")}
        write_whole(self._entry(key), json.dumps(entry).encode())

    def recall(self, key: str) -> Run | None:
        """The run remembered under `key`, if its report still stands exactly as it was."""
        return self._recorded(self._entry(key))

    def _entry(self, key: str) -> Path:
        match = _KEY.fullmatch(key)
        if match is None:
            raise ValueError(f"not a result key: {key}")
        return self.root / _INDEX / f"{match.group(1)}.json"

    def _recorded(self, entry: Path) -> Run | None:
        try:
            row = json.loads(entry.read_bytes())
            run = Run(self.root / row["lab"] / row["run"])
            if _file_hash(run.path / "report.json") != row["sha256"]:
                return None
            run.read_report()
        except (OSError, ValueError, KeyError, TypeError, LabError):
            return None
        return run


def result_key(staged_digest: str, lab_digest: str, grader_digest: str, images: str, asked: str) -> str:
    """The name under which a result may be reused: equal keys mean that grading again would say the same."""
    parts = json.dumps([staged_digest, lab_digest, grader_digest, images, asked])
    return "sha256:" + hashlib.sha256(parts.encode()).hexdigest()


def _as_json(value: Record | Sequence[Record]) -> str:
    data: Json
    if isinstance(value, Record):
        data = value.model_dump(mode="json", by_alias=True)
    else:
        data = [record.model_dump(mode="json", by_alias=True) for record in value]
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
