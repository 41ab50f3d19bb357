"""Which images this checkout made, so that they alone are ever removed."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Recorded:
    """An image that we made: its tag, its id when we made it, and what it is for."""

    tag: str
    id: str
    kind: str


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Holds the cache for one writer: two graders that both miss an image make it once."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "images.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_record(cache: Path) -> tuple[Recorded, ...]:
    """Everything recorded, oldest first."""
    path = cache / "images.json"
    return tuple(Recorded(**entry) for entry in json.loads(path.read_text())) if path.exists() else ()


def add_to_record(cache: Path, *images: Recorded) -> None:
    """Records images. The image that one of their tags named before is kept on record, by its id."""
    tags, ids = {image.tag for image in images}, {image.id for image in images}
    before = (replace(old, tag=old.id) if old.tag in tags else old for old in read_record(cache))
    kept = dict.fromkeys(old for old in before if not (old.tag == old.id and old.id in ids))
    write_record(cache, (*kept, *images))


def write_record(cache: Path, images: tuple[Recorded, ...]) -> None:
    write_json(cache / "images.json", [asdict(image) for image in images])


def write_json(path: Path, data: Any) -> None:
    """Replaces a file in one step: a reader sees the old one or the new one, never half."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
    part.replace(path)


def give_to_caller(cache: Path) -> None:
    """After `sudo grader images build`, the cache belongs to the person who typed it, not to root."""
    if os.geteuid() != 0 or "SUDO_UID" not in os.environ:
        return
    owner, group = int(os.environ["SUDO_UID"]), int(os.environ.get("SUDO_GID", "-1"))
    for path in (cache, *cache.glob("*"), *cache.glob("wheelhouse/*")):
        os.chown(path, owner, group, follow_symlinks=False)
