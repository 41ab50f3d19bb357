"""The images that a Docker engine holds: their configuration, their layers, their names."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from grader.engines.base import ImageInfo, Layer
from grader.engines.trouble import engine_errors
from grader.errors import InfraError

if TYPE_CHECKING:
    from docker import APIClient


class DockerImages:
    def __init__(self, api: APIClient) -> None:
        self._api = api

    def find(self, reference: str) -> ImageInfo | None:
        from docker.errors import ImageNotFound

        with engine_errors("inspect an image"):
            try:
                found = self._api.inspect_image(reference)
            except ImageNotFound:
                return None
        config = found.get("Config") or {}
        return ImageInfo(
            id=found["Id"],
            size=int(found["Size"]),
            user=config.get("User") or "",
            command=tuple(config.get("Cmd") or ()),
            entrypoint=tuple(config.get("Entrypoint") or ()),
            ports=tuple(config.get("ExposedPorts") or ()),
            volumes=tuple(config.get("Volumes") or ()),
            diff_ids=tuple(found["RootFS"].get("Layers") or ()),
        )

    def layers(self, image: str, base: str) -> tuple[Layer, ...]:
        """The image's non-empty layers, bottom first."""
        with engine_errors("read an image's history"):
            history = list(reversed(self._api.history(image)))
            diff_ids = list(self._api.inspect_image(image)["RootFS"].get("Layers") or ())
            below = len(self._api.inspect_image(base)["RootFS"].get("Layers") or ())
            depths = [self._depth(entry["Id"]) for entry in history[:-1]]
        solid = solid_entries(history, [*depths, len(diff_ids)])
        return tuple(
            Layer(diff_id, int(entry["Size"]), float(entry["Created"]), entry["CreatedBy"], index >= below)
            for index, (diff_id, entry) in enumerate(zip(diff_ids, solid, strict=True))
        )

    def _depth(self, image: str) -> int | None:
        """How many layers an image has; None for an instruction whose image the engine does not keep."""
        from docker.errors import ImageNotFound

        if image == "<missing>":
            return None
        try:
            return len(self._api.inspect_image(image)["RootFS"].get("Layers") or ())
        except ImageNotFound:
            return None

    def load(self, archive: BinaryIO) -> None:
        with engine_errors("load an image"):
            for event in self._api.load_image(archive):
                if "error" in event:  # the engine's answer is 200 all the same
                    raise InfraError("engine_refused", doing="load an image", answer=str(event["error"])[:500])

    def tag(self, image: str, reference: str) -> None:
        repository, _, tag = reference.rpartition(":")
        with engine_errors("tag an image"):
            self._api.tag(image, repository, tag)

    def remove(self, reference: str) -> None:
        """Untag; the image and its layers go when nothing else names them. Quiet when it is gone."""
        from docker.errors import APIError, ImageNotFound

        with engine_errors("remove an image"):
            try:
                self._api.remove_image(reference, force=True)
            except ImageNotFound:
                return
            except APIError as error:
                if error.status_code != 409:
                    raise

    def remove_unnamed(self, image: str) -> None:
        """Remove an image of a build, unless a tag names it or something was built on it.

        With it goes what the engine committed on it after the build's last word: a killed grader never heard of that.
        """
        from docker.errors import APIError, ImageNotFound

        with engine_errors("remove an image"):
            try:
                found = self._api.inspect_image(image)
                rows = self._api.images(all=True)
                for child in [row for row in rows if row["ParentId"] == found["Id"] and not named(row)]:
                    self.remove_unnamed(child["Id"])
                if not found.get("RepoTags"):
                    self._api.remove_image(image)
            except ImageNotFound:
                return
            except APIError as error:
                if error.status_code != 409:
                    raise

    def stored_from(self, containers: Collection[str]) -> tuple[str, ...]:
        """The images without a name that the engine's builder made of these containers."""
        from docker.errors import ImageNotFound

        found = []
        with engine_errors("look for images"):
            for row in self._api.images(all=True) if containers else ():
                with suppress(ImageNotFound):
                    if not named(row) and self._api.inspect_image(row["Id"]).get("Container") in containers:
                        found.append(row["Id"])
        return tuple(found)

    def list(self, prefix: str) -> tuple[tuple[str, str], ...]:
        """(tag, id) of every image whose tag starts with `prefix`."""
        with engine_errors("list images"):
            found = self._api.images()
        tags = [(tag, image["Id"]) for image in found for tag in image.get("RepoTags") or ()]
        return tuple(sorted(pair for pair in tags if pair[0].startswith(prefix)))


def solid_entries(history: list[dict[str, Any]], depths: list[int | None]) -> list[dict[str, Any]]:
    """The history entries (oldest first) that made a layer; `depths` counts the layers after each, where known.

    The engine's history does not tell: an instruction that changes nothing leaves an entry without a layer, one
    that adds an empty file a layer without a size.
    """
    chosen: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    for entry, depth in zip(history, depths, strict=True):
        waiting.append(entry)
        if depth is not None:
            chosen += likely(waiting, depth - len(chosen))
            waiting = []
    return chosen


def likely(entries: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The `count` entries that most probably made a layer: those with a size, then those that write files."""

    def weight(entry: dict[str, Any]) -> int:
        if int(entry["Size"]) > 0:
            return 2
        _, mark, instruction = entry["CreatedBy"].partition("#(nop)")
        return int(not mark or instruction.split()[:1] in (["RUN"], ["COPY"], ["ADD"], ["WORKDIR"]))

    ranked = sorted(range(len(entries)), key=lambda index: (-weight(entries[index]), -index))
    return [entries[index] for index in sorted(ranked[:count])]


def named(row: dict[str, Any]) -> bool:
    """Whether a row of the engine's list of images has a tag; it writes `<none>:<none>` where there is none."""
    return any(tag != "<none>:<none>" for tag in row.get("RepoTags") or ())
