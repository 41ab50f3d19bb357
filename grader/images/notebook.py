"""The notebook image: what labs with notebooks run in.

It is two images. `grader/packages` is the course base with the pinned wheels of docker/notebook/ installed: gigabytes
and minutes, made again when a pin changes. `grader/notebook` is that with our own code: kilobytes and seconds.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from grader.engines.base import Engine, ImageInfo
from grader.errors import InfraError
from grader.images.course import ensure_base
from grader.images.folders import Effort, Source, build_on, content_digest, ensure_image, read_folder
from grader.images.recipe import DOCKER_FOLDER, Progress
from grader.images.record import Recorded, add_to_record, give_to_caller, locked, read_record, write_record
from grader.images.removal import remove_recorded
from grader.images.wheels import ensure_wheels
from grader.records import Limits

FOLDER = DOCKER_FOLDER / "notebook"
CODE = ("grader", "workbench")
LIMITS = Limits(build_seconds=1800, build_memory_mib=3072, build_disk_mib=12 * 1024)
STEP = "step"  # the kind of what a build leaves behind until it is done
WHEELS_GB, MAKING_GB, MADE_GB = 0.6, 8, 2


def ensure_notebook(engine: Engine, cache: Path, progress: Progress) -> ImageInfo:
    """The notebook image, made where the engine does not have it: minutes the first time, else a second or two.

    Raises `InfraError` with what is missing: the base, room on the disk, a package index that answers.
    """
    packages = ensure_packages(engine, ensure_base(engine, cache, progress), cache, progress)
    code = {name: read_folder(DOCKER_FOLDER.parent / name) for name in CODE}
    files = {f"site-packages/{name}/{path}": text for name, found in code.items() for path, text in found.items()}
    dockerfile = (FOLDER / "Dockerfile").read_text()
    return ensure_image(engine, packages, Source("notebook", dockerfile, files), cache, progress)


def ensure_packages(engine: Engine, base: ImageInfo, cache: Path, progress: Progress) -> ImageInfo:
    """The notebook image without our own code."""
    files = read_folder(FOLDER)
    dockerfile = files.pop("packages.Dockerfile").decode()
    del files["Dockerfile"]
    tag = f"grader/packages:{content_digest(base.id, Source('packages', dockerfile, files))}"
    found = engine.images.find(tag)
    if found is not None:
        return found
    with locked(cache):
        return engine.images.find(tag) or _make_packages(engine, base, tag, dockerfile, files, cache, progress)


def _make_packages(
    engine: Engine,
    base: ImageInfo,
    tag: str,
    dockerfile: str,
    files: dict[str, bytes],
    cache: Path,
    progress: Progress,
) -> ImageInfo:
    progress(
        f"the notebook image is not here yet: {WHEELS_GB} GB to download (less where the cache has them), "
        f"{MAKING_GB} GB of disk while it is made and {MADE_GB} GB afterwards; allow five minutes"
    )
    _require_room(cache)
    wheels = ensure_wheels(FOLDER / "wheels.txt", (cache / "notebook", cache / "wheelhouse"), progress)
    give_to_caller(cache)
    progress("installing the packages in the image (about three minutes)")
    context = files | {f"wheels/{wheel.name}": wheel for wheel in wheels}
    steps = Steps(engine, cache)
    effort = Effort(LIMITS, cache, steps.heard)
    found = build_on(engine, base.id, tag, dockerfile, context, effort)
    add_to_record(cache, Recorded(tag, found.id, "packages"))
    steps.remove()
    _remove_older(engine, cache, found, progress)
    return found


class Steps:
    """The images that a build makes on its way: on record at once, so that an interrupted build leaves none unknown.

    The next attempt takes them from the engine's layer cache, and removes them when it is through.
    """

    def __init__(self, engine: Engine, cache: Path) -> None:
        self._engine = engine
        self._cache = cache

    def heard(self, image: str, made: bool) -> None:
        found = self._engine.images.find(image) if made else None
        if found is not None:
            add_to_record(self._cache, Recorded(found.id, found.id, STEP))

    def remove(self) -> None:
        """Removes what nothing was built on; the engine keeps the others, and removes them with the image."""
        record = read_record(self._cache)
        for image in reversed([image for image in record if image.kind == STEP]):
            self._engine.remove("build", image.id)
        write_record(self._cache, tuple(image for image in record if image.kind != STEP))


def _remove_older(engine: Engine, cache: Path, packages: ImageInfo, progress: Progress) -> None:
    """Removes the images that stood on other pins: gigabytes each, and nothing of today's code asks for them."""
    record = read_record(cache)
    older = tuple(image for image in record if image.kind in ("packages", "notebook") and image.id != packages.id)
    kept = remove_recorded(engine, older, progress)
    write_record(cache, tuple(image for image in record if image in kept or image not in older))


def _require_room(cache: Path) -> None:
    free = shutil.disk_usage(cache).free / 1e9
    if free < MAKING_GB:
        raise InfraError("image_no_room", free=f"{free:.1f}", need=str(MAKING_GB), folder=str(cache))
