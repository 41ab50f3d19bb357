"""Which images a Dockerfile uses: as the policy sees it, and as a real engine's builder found them.

The engine is given the student's own bytes, which the grader never does. Every image in it says in a file who it is, so
that what was copied from where can be read from what was built.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.dockerfile import Emitted, check_policy, emit, read_dockerfile, scope
from grader.dockerfile.tree import Dockerfile
from grader.errors import SubmissionError
from grader.records import Staged, StagedFile

from .dockerfiles import ALLOWED, FORBIDDEN, dockerfile

if TYPE_CHECKING:
    from docker import APIClient

IMAGE = re.compile(r"^ ---> ([0-9a-f]{12})\s*$")
OURS = ("context", "heredoc")
URL = "url"
COMPARED = ("passed", "base", "from", "add")
Row = dict[str, Any]


@dataclass
class Engine:
    """An engine that holds nothing but images that say who they are."""

    api: APIClient
    ids: dict[str, str]  # the first twelve characters of each id, and who that is

    @classmethod
    def prepared(cls, api: APIClient) -> Engine:
        ids = {}
        for name in (*ALLOWED, *FORBIDDEN):
            repository, _, tag = name.rpartition(":")
            told = json.loads(api.import_image_from_data(packed({"who": name.encode()}), repository, tag))
            ids[told["status"].removeprefix("sha256:")[:12]] = name
        return cls(api, ids)

    def base(self) -> str:
        """The full id of the image that stands for the course base."""
        return str(self.api.inspect_image(ALLOWED[0])["Id"])

    def known(self, names: set[str] | None) -> set[str] | None:
        """The names as this engine takes them: one that nobody has and that begins an id stands for that image."""
        return None if names is None else {self._known(name) for name in names}

    def _known(self, name: str) -> str:
        if name in self.ids.values():
            return name
        return next((who for start, who in self.ids.items() if start.startswith(name.removesuffix(":latest"))), name)

    def build(self, context: dict[str, bytes], name: str) -> Built:
        steps = self.api.build(
            fileobj=io.BytesIO(packed(context)), custom_context=True, dockerfile=name, network_mode="none", rm=True,
            forcerm=True, decode=True,
        )  # fmt: skip
        built = Built()
        try:
            for step in steps:
                built.take(step, self.ids)
        except Exception as error:  # a file that it cannot even parse is refused before any step
            built.error = str(error)
        return built

    def contents(self, built: Built) -> set[str]:
        """Who the files that were copied say they come from."""
        return {who for head in built.heads if head for who in self._copied(head)}

    def _copied(self, image: str) -> Iterator[str]:
        if not self.api.inspect_image(image)["RootFS"].get("Layers"):
            return  # nothing was put into it, and the engine exports no such image
        saved = io.BytesIO(b"".join(self.api.get_image(image)))
        with tarfile.open(fileobj=saved) as outer:
            for member in outer:
                if member.name.endswith("layer.tar") and (layer := outer.extractfile(member)) is not None:
                    with tarfile.open(fileobj=io.BytesIO(layer.read())) as inner:
                        yield from said(inner)

    def tidy(self) -> None:
        """Remove all that was built: whatever is not one of the images that say who they are."""
        for _ in range(20):
            others = [row["Id"] for row in self.api.images(all=True) if row["Id"][7:19] not in self.ids]
            if not others:
                return
            for image in others:
                with suppress(Exception):  # another one stands on it: the next round
                    self.api.remove_image(image)
        raise RuntimeError(f"{len(others)} images stay")


class Built:
    """What a build's output tells."""

    def __init__(self) -> None:
        self.error: str | None = None
        self.bases: list[str] = []
        self.heads: list[str] = []
        self._starting = False

    def take(self, step: dict[str, Any], ids: dict[str, str]) -> None:
        text = step.get("stream", "")
        self.error = self.error or step.get("error")
        if re.match(r"Step \d+/\d+ : ", text):
            self._starting = re.match(r"Step \d+/\d+ : FROM\b", text, re.IGNORECASE) is not None
            self.heads += [""] if self._starting else []  # a stage from nothing has no image before its first step
        elif (found := IMAGE.match(text)) and self.heads:
            self.heads[-1] = found[1]
            if self._starting and found[1] in ids:
                self.bases.append(ids[found[1]])
            self._starting = False


def said(layer: tarfile.TarFile) -> Iterator[str]:
    for member in layer:
        if member.name.lstrip("/").startswith("from/") and member.isreg() and (file := layer.extractfile(member)):
            yield file.read().decode().strip()


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def trial(engine: Engine, number: int, url: str, folder: Path) -> Row:
    """One file through the policy and through the engine, and where they differ."""
    data = dockerfile(number, url)
    verdict, read, emitted = judged(data, folder, engine.base())
    row: Row = {"number": number, "verdict": verdict, "faults": []}
    began = time.monotonic()
    if read is not None and any(step.heredocs for step in read.parsed.instructions):
        row["compared"] = "emitted"
        row["faults"] = rewritten(engine, emitted) if emitted else []
    else:
        built = engine.build({"Dockerfile": data, "who": b"context"}, "Dockerfile")
        used = (set(built.bases) | (engine.contents(built) if copies(data) else set())) - set(OURS)
        row["compared"] = "original" if built.error is None else "original, as far as the engine reads it"
        row["faults"] = differences(verdict, engine.known(seen(read)), used, built.error)
        if emitted and built.error is not None:
            row["compared"] += ", and emitted"
            row["faults"] += rewritten(engine, emitted)
        if read is None and built.error is None:
            row["compared"] = "built, though not read by us"
    row["seconds"] = round(time.monotonic() - began, 3)
    return row


def judged(data: bytes, folder: Path, base: str) -> tuple[str, Dockerfile | None, Emitted | None]:
    """The policy's verdict, the file as it was read, and what would be built of one that passed."""
    (folder / "Dockerfile").write_bytes(data)
    (folder / "who").write_bytes(b"context")
    sizes = {"Dockerfile": len(data), "who": 7}
    files = tuple(StagedFile(path=name, size=size, sha256="0") for name, size in sizes.items())
    read: Dockerfile | None = None
    try:
        read = read_dockerfile(Staged(source="", root=str(folder), digest="", files=files))
        if read is None:
            return "empty", None, None
        check_policy(read)
        return "passed", read, emit(read, base)
    except SubmissionError as error:
        return error.code, read, None


def seen(read: Dockerfile | None) -> set[str] | None:
    """The sources that the policy goes by; None where it does not get that far."""
    if read is None:
        return None
    try:
        stages = scope.resolve(read.parsed)
    except SubmissionError:
        return None
    found = {familiar(stage.base) for stage in stages if stage.parent is None}
    for stage in stages:
        for step in stage.steps:
            source = step.instruction.flag("from")
            if source and scope.find_stage(source, stages[: stage.number]) is None:
                found.add(familiar(source))
            if step.instruction.keyword == "ADD" and any(
                word.startswith("http") for word in step.instruction.words[:-1]
            ):
                found.add(URL)
    return found - {"scratch:latest"}


def familiar(reference: str) -> str:
    """A reference as the engine's list of images shows it."""
    short = re.sub(r"^(?:(?:index\.)?docker\.io/)?(?:library/(?=[^/]+$))?", "", reference)
    return short if ":" in short.rpartition("/")[2] else f"{short}:latest"


def copies(data: bytes) -> bool:
    return re.search(rb"(?i)from=|add", data) is not None


def differences(verdict: str, ours: set[str] | None, used: set[str], error: str | None) -> list[str]:
    """What the engine used beyond what the policy saw, or did not use although it built everything."""
    found = []
    if verdict == "passed" and not used <= set(ALLOWED):
        found.append(f"used though passed: {sorted(used - set(ALLOWED))}")
    if ours is not None and verdict in COMPARED:
        if not used <= ours:
            found.append(f"unseen: {sorted(used - ours)}")
        if error is None and ours != used:
            found.append(f"unused: {sorted(ours - used)}")
    return found


def rewritten(engine: Engine, emitted: Emitted) -> list[str]:
    """Whether the file that is really built uses the base and nothing else."""
    base = engine.base()
    rows = [row for row in emitted.text.splitlines() if not row.startswith("#")]
    strange = [row for row in rows if row.startswith("FROM") and not re.match(rf"FROM ({base}|s\d) AS [sc]\d$", row)]
    strange += [row for row in rows if row.startswith("COPY --from") and not re.match(r"COPY --from=[sc]\d ", row)]
    found = [f"emitted: {row}" for row in strange]
    if not any(row.startswith("RUN") for row in rows):
        extra = {name: text.encode() for name, text in emitted.extra.items()}
        built = engine.build(
            {"who": b"context", **extra, ".grader/Dockerfile": emitted.text.encode()}, ".grader/Dockerfile"
        )
        used = (set(built.bases) | engine.contents(built)) - {*OURS, "heredoc\nFROM evil:1"}
        found += [f"unseen: {sorted(used - {ALLOWED[0]})}"] if not used <= {ALLOWED[0]} else []
    return found
