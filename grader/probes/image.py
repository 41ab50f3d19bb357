"""What an image shows without running it: configuration, own layers, the files in them."""

from __future__ import annotations

from dataclasses import asdict

from grader.engines.base import Engine, ImageInfo, Layer
from grader.records import Json


def layer_rows(layers: tuple[Layer, ...]) -> list[dict[str, Json]]:
    return [asdict(layer) | {"created_by": layer.created_by[:400]} for layer in layers]


def own_bytes(layers: tuple[Layer, ...]) -> int:
    return sum(layer.size for layer in layers if layer.own)


def image_section(engine: Engine, info: ImageInfo, base: str, yardstick: str) -> dict[str, Json]:
    """The evidence section `image`."""
    layers = engine.images.layers(info.id, base)
    method, files = engine.host.layer_files(info.id, layers)
    return {
        "config": {
            "user": info.user,
            "command": list(info.command),
            "entrypoint": list(info.entrypoint),
            "ports": list(info.ports),
            "volumes": list(info.volumes),
        },
        "layers": layer_rows(layers),
        "sizes": {
            "own": own_bytes(layers),
            "yardstick_own": own_bytes(engine.images.layers(yardstick, base)),
            "total": info.size,
        },
        "files": {"method": method, "files": [asdict(file) for file in files]},
    }
