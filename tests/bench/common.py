"""What the benches share: a rig on the engine that is there, services to measure, hogs, and stored results.

A result is one JSON row, written as soon as it is known and kept under the digest of the code that it speaks of,
so that a bench which was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from grader.checks import Fail, Remark
from grader.engines.base import Engine, ImageInfo, RunRequest, Sandbox
from grader.engines.docker import connect
from grader.engines.owned import Owned
from grader.engines.reaper import Ledger, Reaper
from grader.images.course import ensure_base
from grader.images.folders import Source, ensure_driver, ensure_image, ensure_yardstick, read_folder
from grader.lab import load_lab
from grader.probes.box import Box
from grader.probes.inputs import Pool, read_pool
from grader.probes.models import place_model
from grader.probes.rig import Kit, Rig
from grader.probes.starting import start_image
from grader.records import Evidence, Lab, Start

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
CACHE = ROOT / ".cache"
LAB = ROOT / "labs" / "05-docker"
SOLUTION = ROOT / "solutions" / "05-docker"
COMMON = ROOT / "labs" / "common"
YARDSTICK = ROOT / "docker" / "yardstick"
# An empty loop that ends by itself when the bench that started it is gone.
HOG = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(1_000_000): pass"
Row = dict[str, Any]


def code_digest(paths: Sequence[Path]) -> str:
    """A digest of files and folders; comments and layout of Python files do not count."""
    digest = hashlib.sha256()
    for path in paths:
        files = read_folder(path) if path.is_dir() else {path.name: path.read_bytes()}
        for name, content in files.items():
            meaning = ast.dump(ast.parse(content)).encode() if name.endswith(".py") else content
            digest.update(f"{name}\0{len(meaning)}\0".encode() + meaning)
    return digest.hexdigest()[:12]


class Results:
    """The rows of one bench that were measured with the code as it is now."""

    def __init__(self, name: str, parts: Sequence[str]) -> None:
        self.name = name
        self.path = HERE / "results" / f"{name}.jsonl"
        own = [HERE / f"{name}.py", Path(__file__)]
        self.digest = code_digest([*own, *(ROOT / part for part in parts)])
        self.rows = [row for row in self._stored() if row["digest"] == self.digest]

    def _stored(self) -> Iterator[Row]:
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            with suppress(ValueError):  # a torn line: its measurement is simply made again
                yield json.loads(line)

    def add(self, **row: Any) -> Row:
        """Store one row now."""
        self.path.parent.mkdir(exist_ok=True)
        torn = self.path.exists() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size
        with self.path.open("a") as file:
            file.write(("\n" if torn else "") + json.dumps({"digest": self.digest, **row}) + "\n")
        self.rows.append(row)
        print(json.dumps(row), flush=True)
        return row

    def where(self, **key: Any) -> list[Row]:
        return [row for row in self.rows if all(row.get(name) == value for name, value in key.items())]

    def once(self, measure: Callable[[], Row], **key: Any) -> Row:
        """The stored row of this key, measured first where it is not there."""
        found = self.where(**key)
        return found[0] if found else self.add(**key, **measure())

    def publish(self, title: str, text: str) -> None:
        """Print the tables and write them beside the rows."""
        version = ".".join(map(str, sys.version_info[:3]))
        where = f"Code `{self.digest}`, Python {version}, {os.cpu_count()} cores. Rows: `{self.path.name}`."
        print(f"\n{text}")
        self.path.with_suffix(".md").write_text(f"# {title}\n\n{text}\n\n{where}\n")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def spread_of(values: Sequence[float], digits: int = 2) -> str:
    """`median [lowest..highest]`."""
    if not values:
        return "-"
    return f"{median(values):.{digits}f} [{min(values):.{digits}f}..{max(values):.{digits}f}]"


def repetitions(doc: str | None, default: int) -> int:
    """How often the caller wants everything measured."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--repetitions", type=int, default=default)
    return int(parser.parse_args().repetitions)


@contextmanager
def hogs(each: int) -> Iterator[None]:
    """`each` processes on every core that do nothing but take CPU."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        for core in range(os.cpu_count() or 1):
            for _ in range(each):
                started.append(subprocess.Popen([sys.executable, "-S", "-c", HOG]))
                os.sched_setaffinity(started[-1].pid, {core})
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


class Listed(Owned):
    """Remembers in order what it started, so that a bench can end a part of it."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        super().__init__(engine, ledger)
        self.sandboxes: list[Sandbox] = []

    def start(self, role: str, request: RunRequest) -> Sandbox:
        self.sandboxes.append(super().start(role, request))
        return self.sandboxes[-1]

    @contextmanager
    def passing(self) -> Iterator[None]:
        """What is started inside goes at the end of the block."""
        before = len(self.sandboxes)
        try:
            yield
        finally:
            for sandbox in reversed(self.sandboxes[before:]):
                self.remove(sandbox.name)
            del self.sandboxes[before:]


@dataclass
class Bench:
    """Our images, a running driver, and lab 05."""

    engine: Engine
    base: ImageInfo
    yardstick_image: ImageInfo
    kit: Kit
    owned: Listed
    rig: Rig
    lab: Lab
    pool: Pool
    work: Path

    def image(self, *overlays: Path, **environment: str) -> ImageInfo:
        """The yardstick with the overlays' files over its own, built with the classic builder where it is missing."""
        files = read_folder(YARDSTICK)
        for folder in overlays:
            files |= read_folder(folder)
        dockerfile = files.pop("Dockerfile").decode()
        dockerfile += "".join(f"ENV {name}={value}\n" for name, value in environment.items())
        return ensure_image(self.engine, self.base, Source("bench", dockerfile, files), CACHE, print)

    @contextmanager
    def yardstick(self) -> Iterator[str]:
        """A fresh yardstick; the name of its helper."""
        with self.owned.passing():
            helper = self.rig.start_yardstick(place_model(model("fast"), self.work / "yardstick", 0).parent)
            yield helper
            self.rig.forget(helper)

    @contextmanager
    def service(self, image: ImageInfo, start: Start, yardstick: str, seed: int) -> Iterator[Box]:
        """A fresh container of the image, ready to be probed; started as a submission is."""
        folder = place_model(model(start.spec.model), self.work / start.name, start.spec.pad_mib).parent
        watch = self.engine.host.watch(folder, "model.onnx")
        try:
            with self.owned.passing():
                started = start_image(self.rig, start, image, folder, "hardened", watch)
                if not started.ready["ok"] or started.helper is None:
                    raise RuntimeError(f"{start.name} does not serve: {started.ready}")
                box = Box(start, started.sandbox, started.helper, self.rig, self.engine.host, yardstick, self.pool,
                          seed, folder, model("constant"), watch, started.ready)  # fmt: skip
                box.ready["cpu_ms"] = round(box.cpu_ms(), 3)
                box.note_processes("ready")
                yield box
                self.rig.forget(started.helper)
        finally:
            if watch is not None:
                watch.close()


@contextmanager
def bench() -> Iterator[Bench]:
    """A bench on this machine's engine. What an earlier one left behind is removed first."""
    engine = connect()
    home = CACHE / "bench"
    active, work = home / "active", home / "work"
    Reaper(active, engine, work).reap()
    lab = load_lab(LAB)
    base, yardstick, driver = our_images(engine)
    kit = Kit(base.id, driver.id, yardstick.id)
    with Ledger(active, f"bench-{os.getpid()}") as ledger, closing(Listed(engine, ledger)) as owned:
        rig = Rig(owned, kit, lab.service, lab.limits)
        yield Bench(engine, base, yardstick, kit, owned, rig, lab, read_pool(COMMON / "digits.safetensors"), work)
    engine.close()


def our_images(engine: Engine) -> tuple[ImageInfo, ImageInfo, ImageInfo]:
    """The course base, the yardstick and the driver."""
    base = ensure_base(engine, CACHE, print)
    return base, ensure_yardstick(engine, base, CACHE, print), ensure_driver(engine, base, CACHE, print)


def model(name: str) -> Path:
    return COMMON / "models" / f"{name}.onnx"


def grader_command(runs: Path, cold: bool = False) -> dict[str, Any]:
    """How to start `grader run` on the solution, with its results below `runs`: arguments of `Popen`."""
    command = [str(Path(sys.executable).with_name("grader")), "run", "labs/05", str(SOLUTION), "--fresh"]
    command += ["--format", "json", *(["--no-cache"] if cold else [])]
    return {"args": command, "cwd": ROOT, "env": {**os.environ, "GRADER_RUNS": str(runs)}}


def grader_run(runs: Path, cold: bool = False) -> Row:
    """The report of one whole `grader run`, as a process of its own."""
    found = subprocess.run(**grader_command(runs, cold), stdout=subprocess.PIPE, check=False)
    if found.returncode not in (0, 1):
        raise SystemExit(f"grader run ended with {found.returncode}: {found.stdout.decode()[-2000:]}")
    return dict(json.loads(found.stdout))


def judged(item: str, sections: dict[str, dict[str, Any]]) -> Row:
    """The share, the cause and its facts that lab 05's check gives this evidence, whatever the item needs."""
    spec = importlib.util.spec_from_file_location("lab_checks", LAB / "checks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    check = next(found for found in vars(module).values() if getattr(found, "judges", None) == item)
    try:
        result = check(Evidence(lab="05-docker", sections=sections, engine="bench", seed=0))
    except Fail as fault:
        return {"share": fault.share, "cause": fault.cause, "facts": fault.facts}
    if isinstance(result, Remark):
        return {"share": result.share, "cause": result.cause, "facts": result.facts}
    return {"share": 1.0 if result is None else float(result), "cause": None, "facts": {}}
