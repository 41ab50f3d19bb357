"""Write layers and docker-archives whose bytes depend on their content alone.

An engine derives the image id from the configuration, which names the layers by digest: equal layers and an
equal configuration give the same image on every machine, in Docker and in podman.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

EPOCH = 1767225600  # 2026-01-01, the time of everything in our images
CREATED = "2026-01-01T00:00:00Z"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class LayerTar:
    """One layer: its tar, the digest of that tar, and the line shown by `docker history`."""

    path: Path
    diff_id: str
    created_by: str


def layer_tar(path: Path, created_by: str) -> LayerTar:
    """The layer held by a tar that is already written."""
    with path.open("rb") as file:
        return LayerTar(path, hashlib.file_digest(file, "sha256").hexdigest(), created_by)


def write_tree(target: BinaryIO, files: dict[str, bytes | Path]) -> None:
    """Writes a tar of regular files and their folders: sorted, owned by root, of a fixed time."""
    folders = sorted({str(parent) for name in files for parent in Path(name).parents if str(parent) != "."})
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder in folders:
            tar.addfile(_member(folder, kind=tarfile.DIRTYPE, mode=0o755))
        for name, content in sorted(files.items()):
            with _opened(content) as (file, size):
                tar.addfile(_member(name, mode=0o644, size=size), file)


def image_config(layers: list[LayerTar], environment: dict[str, str], command: list[str], machine: str) -> bytes:
    """The configuration of an image, whose SHA-256 is the image's id."""
    config = {
        "architecture": ARCHITECTURES.get(machine, machine),
        "config": {"Cmd": command, "Env": [f"{key}={value}" for key, value in environment.items()], "WorkingDir": "/"},
        "created": CREATED,
        "history": [{"created": CREATED, "created_by": layer.created_by} for layer in layers],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in layers]},
    }
    return json.dumps(config, sort_keys=True, separators=(",", ":")).encode()


def image_id(config: bytes) -> str:
    return f"sha256:{hashlib.sha256(config).hexdigest()}"


def write_archive(target: BinaryIO, layers: list[LayerTar], config: bytes, tags: list[str]) -> None:
    """Writes the docker-archive that `docker load` and `podman load` read."""
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    names = [f"{layer.diff_id}/layer.tar" for layer in layers]
    manifest = json.dumps([{"Config": config_name, "RepoTags": tags, "Layers": names}]).encode()
    files: dict[str, bytes | Path] = {config_name: config, "manifest.json": manifest}
    files.update(zip(names, (layer.path for layer in layers), strict=True))
    write_tree(target, files)


def _member(name: str, *, mode: int, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size, member.mtime = kind, mode, size, EPOCH
    return member


@contextmanager
def _opened(content: bytes | Path) -> Iterator[tuple[BinaryIO, int]]:
    if isinstance(content, bytes):
        yield io.BytesIO(content), len(content)
        return
    with content.open("rb") as file:
        yield file, content.stat().st_size
