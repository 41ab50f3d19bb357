"""The layer cache of student builds: the newest images stay named, so that equal instructions are not run again."""

from __future__ import annotations

from pathlib import Path

from grader.engines.base import Engine
from grader.images.record import Recorded, locked, read_record, write_record

KIND = "layers"
KEPT = 20


def keep_layers(engine: Engine, cache: Path, heads: tuple[str, ...], limit: int = KEPT) -> None:
    """Name the last image of each stage of a build, and let go of the oldest beyond `limit`."""
    with locked(cache):
        record = read_record(cache)
        for head in heads:
            found = engine.images.find(head)
            if found is not None:
                kept = Recorded(f"grader/layers:{head}", found.id, KIND)
                engine.images.tag(found.id, kept.tag)
                record = (*(image for image in record if image.tag != kept.tag), kept)
        layers = [image for image in record if image.kind == KIND]
        for image in layers[: max(0, len(layers) - limit)]:
            engine.images.remove(image.tag)
            record = tuple(other for other in record if other != image)
        write_record(cache, record)
