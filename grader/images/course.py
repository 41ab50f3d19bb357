"""The course base `grader/base:3.11`: found, loaded from the cache, or made from the distribution's packages."""

from __future__ import annotations

import json
import platform
import tempfile
from pathlib import Path

from grader.engines.base import Engine, ImageInfo
from grader.errors import InfraError
from grader.images.archive import LayerTar, image_config, image_id, layer_tar, write_archive
from grader.images.recipe import BASE_TAG, Progress, recipe_tag
from grader.images.record import Recorded, add_to_record, give_to_caller, locked, write_json
from grader.images.rootfs import ROOTFS_LINE, build_rootfs, require_bootstrap
from grader.images.wheels import WHEELS_LINE, ensure_wheelhouse, write_wheel_layer

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
COMMAND = ["python3"]


def ensure_base(engine: Engine, cache: Path, progress: Progress) -> ImageInfo:
    """The course base in the engine, of the recipe in docker/base/, made when it is not there."""
    found = engine.images.find(recipe_tag())
    if found is None:
        with locked(cache):
            found = engine.images.find(recipe_tag()) or _from_cache(engine, cache, progress)
        found = found or build_base(engine, cache, progress)
    named = engine.images.find(BASE_TAG)
    if named is None or named.id != found.id:
        engine.images.tag(found.id, BASE_TAG)
    return found


def build_base(engine: Engine, cache: Path, progress: Progress) -> ImageInfo:
    """A new course base from the distribution's packages of today. Needs root and mmdebstrap."""
    require_bootstrap()
    with locked(cache):
        wheels = ensure_wheelhouse(cache, progress)
        layers = [build_rootfs(cache, progress), write_wheel_layer(cache / "wheels.tar", wheels)]
        write_json(cache / "layers.json", {"recipe": recipe_tag(), "diff_ids": [layer.diff_id for layer in layers]})
        info = _load(engine, cache, layers, progress)
        give_to_caller(cache)
    return info


def record_base(engine: Engine, cache: Path, image: str, origin: dict[str, str]) -> ImageInfo:
    """Names an image as the course base, records that it is ours and where it came from."""
    tags = (BASE_TAG, recipe_tag())
    for tag in tags:
        engine.images.tag(image, tag)
    info = engine.images.find(image)
    if info is None:
        raise InfraError("base_lost", tag=BASE_TAG)
    write_json(cache / "base.json", origin | {"id": info.id, "recipe": recipe_tag()})
    add_to_record(cache, *(Recorded(tag, info.id, "base") for tag in tags))
    return info


def _from_cache(engine: Engine, cache: Path, progress: Progress) -> ImageInfo | None:
    layers = _cached_layers(cache)
    return _load(engine, cache, layers, progress) if layers else None


def _cached_layers(cache: Path) -> list[LayerTar]:
    """The layers of the last build, when they are whole and of today's recipe."""
    path = cache / "layers.json"
    wanted = json.loads(path.read_text()) if path.exists() else {}
    files = {"rootfs.tar": ROOTFS_LINE, "wheels.tar": WHEELS_LINE}
    if wanted.get("recipe") != recipe_tag() or not all((cache / name).exists() for name in files):
        return []
    layers = [layer_tar(cache / name, line) for name, line in files.items()]
    return layers if [layer.diff_id for layer in layers] == wanted["diff_ids"] else []


def _load(engine: Engine, cache: Path, layers: list[LayerTar], progress: Progress) -> ImageInfo:
    config = image_config(layers, ENVIRONMENT, COMMAND, platform.machine())
    progress("loading the course base into the engine")
    with tempfile.TemporaryFile(dir=cache) as archive:
        write_archive(archive, layers, config, [BASE_TAG])
        archive.seek(0)
        engine.images.load(archive)
    return record_base(engine, cache, image_id(config), {"origin": "distribution packages"})
