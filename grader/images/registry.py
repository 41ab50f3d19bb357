"""The course base from a registry's official Python image, where a registry answers."""

from __future__ import annotations

from pathlib import Path

from grader.engines.base import Engine, ImageInfo
from grader.errors import InfraError
from grader.images.course import record_base
from grader.images.folders import build_on
from grader.images.recipe import BASE_TAG, Progress, recipe_tag
from grader.images.record import Recorded, add_to_record, give_to_caller, locked
from grader.images.wheels import ensure_wheelhouse, wheel_files

WHEELS_DOCKERFILE = """\
FROM python:3.11-slim
COPY opt/wheelhouse /opt/wheelhouse
COPY etc/pip.conf /etc/pip.conf
RUN python -m pip install --no-compile --upgrade pip setuptools wheel
"""


def build_base_from_registry(engine: Engine, tag: str, cache: Path, progress: Progress) -> ImageInfo:
    """The course base on the image that `tag` names in its registry; its digest is kept in base.json."""
    with locked(cache):
        wheels = ensure_wheelhouse(cache, progress)
        before = engine.images.find(tag)
        progress(f"pulling {tag}")
        digest = _pull(tag)
        pulled = engine.images.find(tag)
        if pulled is None:
            raise InfraError("registry_pull", tag=tag, detail="the image is not in the engine after the pull")
        if before is None:
            add_to_record(cache, Recorded(tag, pulled.id, "pulled"))
        progress("adding the course wheels")
        built = build_on(engine, pulled.id, recipe_tag(), WHEELS_DOCKERFILE, wheel_files(wheels))
        info = record_base(engine, cache, built.id, {"origin": "registry", "from": tag, "digest": digest})
        give_to_caller(cache)
    progress(f"{BASE_TAG} is built on {tag} ({digest})")
    return info


def _pull(tag: str) -> str:
    """Pulls through the engine's API, which the seam leaves out as nothing else may; the digest it got."""
    import requests
    from docker import APIClient
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    repository, version = split_tag(tag)
    try:
        api = APIClient(timeout=600, **kwargs_from_env())
        for event in api.pull(repository, version, stream=True, decode=True):
            if "error" in event:
                raise InfraError("registry_pull", tag=tag, detail=str(event["error"])[:300])
        digests: list[str] = api.inspect_image(tag).get("RepoDigests") or []
    except (DockerException, requests.RequestException) as error:
        raise InfraError("registry_pull", tag=tag, detail=str(error)[:300]) from error
    return next((entry.partition("@")[2] for entry in digests if entry.startswith(repository)), "")


def split_tag(reference: str) -> tuple[str, str]:
    """Repository and tag; the colon of a registry's port is not the tag's."""
    repository, colon, version = reference.rpartition(":")
    return (repository, version) if colon and "/" not in version else (reference, "latest")
