"""Our own images on top of the course base: the yardstick and the driver, tagged by what is in them."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from grader.engines.base import BuildRequest, Engine, ImageInfo, OnImage
from grader.errors import InfraError
from grader.images.archive import write_tree
from grader.images.recipe import DOCKER_FOLDER, Progress
from grader.images.record import Recorded, add_to_record, locked
from grader.records import Limits

TRUSTED = Limits(build_seconds=400, build_memory_mib=2048)
OFFICIAL_BASE = re.compile(r"^FROM python:\S+", re.MULTILINE)
DRIVER_FOLDER = Path(__file__).resolve().parents[1] / "driver"
# Run it as `python -m driver.main`; the root file system is read-only, so no bytecode is tried.
DRIVER_DOCKERFILE = """\
FROM python:3.11-slim
COPY driver /opt/driver
ENV PYTHONPATH=/opt PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /opt
"""


@dataclass(frozen=True)
class Source:
    """What one of our images is built from; its Dockerfile names an official Python image as base."""

    kind: str
    dockerfile: str
    files: dict[str, bytes]


@dataclass(frozen=True)
class Effort:
    """What a build of ours may take, where its context is put together, and who hears of its images."""

    limits: Limits = TRUSTED
    scratch: Path | None = None  # None is the system's folder for temporary files
    on_image: OnImage = lambda image, made: None


USUAL = Effort()


def ensure_yardstick(engine: Engine, base: ImageInfo, cache: Path, progress: Progress) -> ImageInfo:
    """The image of docker/yardstick/, built on the course base where this content is not there yet."""
    files = read_folder(DOCKER_FOLDER / "yardstick")
    dockerfile = files.pop("Dockerfile").decode()
    return ensure_image(engine, base, Source("yardstick", dockerfile, files), cache, progress)


def ensure_driver(engine: Engine, base: ImageInfo, cache: Path, progress: Progress) -> ImageInfo:
    """The course base with grader/driver/ in /opt, built where this content is not there yet."""
    files = {f"driver/{name}": content for name, content in read_folder(DRIVER_FOLDER).items()}
    return ensure_image(engine, base, Source("driver", DRIVER_DOCKERFILE, files), cache, progress)


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files of a folder by their relative path, without compiled Python."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    if not files:
        raise InfraError("image_folder_missing", folder=str(folder))
    return files


def ensure_image(engine: Engine, base: ImageInfo, source: Source, cache: Path, progress: Progress) -> ImageInfo:
    """The image `grader/<kind>:<digest of its Dockerfile, files and base>`, recorded when it had to be built."""
    tag = f"grader/{source.kind}:{content_digest(base.id, source)}"
    found = engine.images.find(tag)
    if found is not None:
        return found
    with locked(cache):
        found = engine.images.find(tag)
        if found is None:
            progress(f"building the {source.kind} image")
            found = build_on(engine, base.id, tag, source.dockerfile, dict(source.files))
            add_to_record(cache, Recorded(tag, found.id, source.kind))
    return found


def content_digest(base: str, source: Source) -> str:
    digest = hashlib.sha256(f"{base}\0{source.dockerfile}\0".encode())
    for name, content in sorted(source.files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def build_on(
    engine: Engine, base: str, tag: str, dockerfile: str, files: dict[str, bytes | Path], effort: Effort = USUAL
) -> ImageInfo:
    """The image that our own Dockerfile makes, every official Python base in it replaced by `base`."""
    text = OFFICIAL_BASE.sub(f"FROM {base}", dockerfile).encode()
    with tempfile.TemporaryDirectory(prefix="grader-image-", dir=effort.scratch) as folder:
        context = Path(folder) / "context.tar"
        with context.open("wb") as file:
            write_tree(file, files | {"Dockerfile": text})
        built = engine.builder.build(BuildRequest(context, "Dockerfile", tag, effort.limits), effort.on_image)
    info = engine.images.find(built.image) if built.image else None
    if info is None:
        detail = (built.message or built.log)[-600:].strip()
        if built.problem == "disk" or "no space left on device" in (built.log + detail).lower():
            raise InfraError("image_disk_full", image=tag, detail=detail)
        raise InfraError("image_build_failed", image=tag, detail=detail)
    return info
