"""Every image that the grader runs: made without a registry, recorded, removed by record."""

from __future__ import annotations

from pathlib import Path

from grader.engines.base import Engine
from grader.images.course import build_base, ensure_base
from grader.images.folders import ensure_driver, ensure_yardstick
from grader.images.notebook import ensure_notebook
from grader.images.recipe import BASE_TAG, Progress
from grader.images.record import Recorded, locked, read_record, write_record
from grader.images.registry import build_base_from_registry
from grader.images.removal import is_ours, remove_recorded

__all__ = [
    "BASE_TAG",
    "Progress",
    "Recorded",
    "build_base",
    "build_base_from_registry",
    "ensure_base",
    "ensure_driver",
    "ensure_notebook",
    "ensure_yardstick",
    "list_images",
    "remove_images",
]


def list_images(engine: Engine, cache: Path) -> tuple[Recorded, ...]:
    """The images that this checkout made and that the engine still has under the same tag and id."""
    return tuple(image for image in read_record(cache) if is_ours(engine, image))


def remove_images(engine: Engine, cache: Path, progress: Progress) -> tuple[Recorded, ...]:
    """Removes the images that this checkout made; a tag that now names another image is left alone."""
    with locked(cache):
        ours = list_images(engine, cache)
        write_record(cache, remove_recorded(engine, ours, progress))
    return ours
