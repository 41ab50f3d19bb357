"""Removing images that this checkout made, and no others."""

from __future__ import annotations

from grader.engines.base import Engine
from grader.images.recipe import Progress
from grader.images.record import Recorded


def is_ours(engine: Engine, image: Recorded) -> bool:
    """Whether the engine still has the image under the same tag and id."""
    found = engine.images.find(image.tag)
    return found is not None and found.id == image.id


def remove_recorded(engine: Engine, images: tuple[Recorded, ...], progress: Progress) -> tuple[Recorded, ...]:
    """Removes the images, newest first, where they are still ours.

    Returns those that the engine kept because a container uses them: they stay on record.
    """
    ours = [image for image in images if is_ours(engine, image)]
    for image in reversed(ours):
        progress(f"removing {image.tag}")
        engine.images.remove(image.tag)
    return tuple(image for image in ours if is_ours(engine, image))
