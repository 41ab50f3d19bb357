"""The course base as students meet it: every usual way to install packages works, and nothing of the host is inside."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import docker
import pytest

from grader import images
from grader.engines import open_engine
from grader.engines.base import BuildRequest, Built, Engine, ImageInfo, RunRequest
from grader.images import archive, course, registry
from grader.records import Limits

pytestmark = pytest.mark.engine
CACHE = Path(__file__).resolve().parents[1] / ".cache"
OPEN_TO_ALL = {"pypi.org", "files.pythonhosted.org", "deb.debian.org", "security.debian.org"}

STYLES = {
    "plain": """
FROM python:3.11-slim
RUN pip install --no-cache-dir fastapi "uvicorn[standard]" onnxruntime
RUN python -c "import fastapi, uvicorn, uvloop, onnxruntime" && uvicorn --version
""",
    "user site copied from a builder": """
FROM python:3.11-slim AS builder
RUN pip install --user fastapi uvicorn
FROM python:3.11-slim
COPY --from=builder /root/.local /root/.local
ENV PATH=/root/.local/bin:$PATH
RUN python -c "import fastapi" && uvicorn --version
""",
    "site-packages copied from a builder": """
FROM python:3.11-slim AS builder
RUN pip install fastapi uvicorn
FROM python:3.11-slim
COPY --from=builder /usr/local/lib/python3.11/site-packages /usr/local/lib/python3.11/site-packages
COPY --from=builder /usr/local/bin /usr/local/bin
RUN python -c "import fastapi" && uvicorn --version
""",
    "virtual environment copied from a builder": """
FROM python:3.11-slim AS builder
RUN python -m venv /opt/venv && /opt/venv/bin/pip install fastapi uvicorn
FROM python:3.11-slim
COPY --from=builder /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
RUN python -c "import fastapi" && uvicorn --version
""",
    "prefix copied from a builder": """
FROM python:3.11-slim AS builder
RUN pip install --prefix=/install fastapi uvicorn
FROM python:3.11-slim
COPY --from=builder /install /usr/local
RUN python -c "import fastapi" && uvicorn --version
""",
    "pip brought up to date first": """
FROM python:3.11-slim
RUN pip install --upgrade pip setuptools wheel && pip install httpx && python -c "import httpx"
""",
    "wheels made in a builder": """
FROM python:3.11-slim AS builder
RUN pip wheel --wheel-dir /wheels fastapi
FROM python:3.11-slim
COPY --from=builder /wheels /wheels
RUN pip install --no-index --find-links=/wheels fastapi && python -c "import fastapi"
""",
    "user made by useradd": """
FROM python:3.11-slim
RUN groupadd --system app && useradd --system --gid app --create-home app
USER app
RUN test "$(id -un)" = app && pip install --user httpx && python -c "import httpx"
""",
    "user made by adduser": """
FROM python:3.11-slim
RUN addgroup --system app && adduser --system --ingroup app app
USER app
RUN test "$(id -un)" = app && setpriv --version && perl -e 1
""",
    "gunicorn with workers of uvicorn": """
FROM python:3.11-slim
RUN pip install gunicorn uvicorn uvicorn-worker fastapi && python -c "import uvicorn_worker" && gunicorn --version
""",
    "every wheel of the course": """
FROM python:3.11-slim
COPY wheels.txt /tmp/wheels.txt
RUN pip install --dry-run --requirement /tmp/wheels.txt
""",
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    found = open_engine("auto")
    if found is None:
        pytest.skip("no container engine answers")
    yield found
    found.close()


@pytest.fixture(scope="module")
def base(engine: Engine) -> ImageInfo:
    return images.ensure_base(engine, CACHE, print)


def build(engine: Engine, base: ImageInfo, dockerfile: str, folder: Path) -> Built:
    """What a student's build of `dockerfile` gives; the images of its stages are removed at once."""
    context, tag = folder / "context.tar", f"grader-test/style:{uuid.uuid4().hex[:12]}"
    text = re.sub(r"(?m)^FROM python:3.11-slim", f"FROM {base.id}", dockerfile).encode()
    with context.open("wb") as file:
        archive.write_tree(file, {"Dockerfile": text, "wheels.txt": images.recipe.BASE_FOLDER / "wheels.txt"})
    # Without the cache: what a grading beside this test made of the same line goes when that grading ends.
    request = BuildRequest(context, "Dockerfile", tag, Limits(build_seconds=300), no_cache=True)
    built = engine.builder.build(request, lambda image, made: None)
    engine.images.remove(tag)
    for stage in built.heads:
        engine.images.remove(stage)
    return built


def run_in(engine: Engine, base: ImageInfo, *command: str) -> str:
    """What a command prints in a container of the base."""
    request = RunRequest(base.id, f"grader-test-{uuid.uuid4().hex[:12]}", trusted=True, command=command)
    sandbox = engine.runner.start(request)
    try:
        state = sandbox.wait(30)
        assert state.exit_code == 0, sandbox.log()
        return sandbox.log()
    finally:
        sandbox.remove()


@pytest.mark.parametrize("style", STYLES)
def test_a_usual_way_to_install_packages_works_without_network(
    engine: Engine, base: ImageInfo, style: str, tmp_path: Path
) -> None:
    built = build(engine, base, STYLES[style], tmp_path)
    assert built.problem is None, built.log[-2000:]


def test_a_package_outside_the_wheelhouse_names_the_versions_inside(
    engine: Engine, base: ImageInfo, tmp_path: Path
) -> None:
    built = build(engine, base, "FROM python:3.11-slim\nRUN pip install fastapi==0.1.99\n", tmp_path)
    assert built.problem == "failed"
    assert "fastapi==0.1.99 (from versions: 0.165.0)" in built.log


def test_pip_in_the_base_knows_the_wheelhouse_and_no_index(engine: Engine, base: ImageInfo) -> None:
    settings = run_in(engine, base, "pip", "config", "list")
    assert set(re.findall(r"global\.([a-z-]+)=", settings)) == {
        "disable-pip-version-check", "find-links", "no-cache-dir", "no-index", "root-user-action",
    }  # fmt: skip
    assert "/opt/wheelhouse'" in settings


def test_apt_in_the_base_knows_no_mirror_and_no_proxy(engine: Engine, base: ImageInfo) -> None:
    script = "cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null; cat /etc/apt/apt.conf.d/*; env"
    found = run_in(engine, base, "sh", "-c", script)
    assert not re.search(r"(?i)https?://|proxy", found)


def test_no_index_or_path_of_the_host_s_pip_is_in_the_base(base: ImageInfo, tmp_path: Path) -> None:
    """Looked for in every layer of the image as the engine has it, wherever it was made."""
    names = host_names()
    saved = tmp_path / "base.tar"
    with docker.APIClient() as client, saved.open("wb") as file:
        file.writelines(client.get_image(base.id))
    found, seen = [], 0
    with tarfile.open(saved) as outer:
        for layer in [member for member in outer if member.name.endswith("layer.tar")]:
            with tarfile.open(fileobj=outer.extractfile(layer)) as tar:
                for member in tar:
                    if member.isfile() and member.size < 1_000_000:
                        seen += 1
                        content = tar.extractfile(member).read()
                        found += [member.name for name in names if name in content]
    assert found == []
    assert seen > 1000


def host_names() -> list[bytes]:
    """Hosts and folders that this machine's pip is configured with."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    variables = " ".join(value for key, value in os.environ.items() if key.startswith("PIP_") or "proxy" in key.lower())
    words = re.findall(r"[^\s'\"]+", f"{listed} {variables}")
    hosts = {urlsplit(word).hostname or "" for word in words} - OPEN_TO_ALL
    folders = {urlsplit(word).path for word in words if word.startswith(("/", "file:")) and not word.endswith(".crt")}
    return [f"{name}".encode() for name in hosts | folders if len(name) > 3]


@pytest.mark.slow
def test_two_builds_of_equal_packages_give_the_same_image(engine: Engine, tmp_path: Path) -> None:
    if os.geteuid() != 0 or not (CACHE / "rootfs.tar").exists():
        pytest.skip("making the root needs root, and a first one to compare with")
    shutil.copytree(CACHE / "wheelhouse", tmp_path / "wheelhouse", copy_function=os.link)
    again = images.rootfs.build_rootfs(tmp_path, print)
    if (tmp_path / "packages.txt").read_text() != (CACHE / "packages.txt").read_text():
        pytest.skip("the distribution has newer packages than the base")
    assert again.diff_id == archive.layer_tar(CACHE / "rootfs.tar", "").diff_id


@pytest.fixture
def local_registry(tmp_path: Path) -> Iterator[str]:
    """A registry on the loopback interface, of Debian's own package."""
    if shutil.which("docker-registry") is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            pytest.skip("docker-registry is not installed")
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "docker-registry"]
        subprocess.run(install, check=True, capture_output=True, env=environment)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = tmp_path / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/store}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    with (tmp_path / "registry.log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
        try:
            wait_for(address)
            yield address
        finally:
            process.terminate()
            process.wait(10)


def wait_for(address: str) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the registry does not listen"
            time.sleep(0.1)


@pytest.mark.slow
def test_base_from_a_registry_keeps_its_digest_and_installs_packages(
    engine: Engine, base: ImageInfo, local_registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import docker

    tag, cache = f"{local_registry}/python:3.11-slim", tmp_path / "cache"
    monkeypatch.setattr(course, "BASE_TAG", "grader-test/base:3.11")
    monkeypatch.setattr(course, "recipe_tag", lambda: "grader-test/base:3.11-recipe")
    monkeypatch.setattr(registry, "recipe_tag", lambda: "grader-test/base:3.11-recipe")
    shutil.copytree(CACHE / "wheelhouse", cache / "wheelhouse", copy_function=os.link)
    engine.images.tag(base.id, tag)
    client = docker.APIClient(**docker.utils.kwargs_from_env())
    pushed = list(client.push(f"{local_registry}/python", "3.11-slim", stream=True, decode=True))
    client.close()
    engine.images.remove(tag)
    assert not [event for event in pushed if "error" in event]

    info = images.build_base_from_registry(engine, tag, cache, print)

    try:
        assert re.search(r'"digest": "sha256:[0-9a-f]{64}"', (cache / "base.json").read_text())
        assert build(engine, info, STYLES["plain"], tmp_path).problem is None
    finally:
        images.remove_images(engine, cache, print)
    assert engine.images.find("grader-test/base:3.11") is None
    assert engine.images.find(tag) is None
    assert engine.images.find(images.BASE_TAG) is not None


@pytest.mark.slow
def test_a_registry_that_does_not_answer_is_named(engine: Engine, tmp_path: Path) -> None:
    shutil.copytree(CACHE / "wheelhouse", tmp_path / "wheelhouse", copy_function=os.link)
    with pytest.raises(images.registry.InfraError) as caught:
        images.build_base_from_registry(engine, "127.0.0.1:9/python:3.11-slim", tmp_path, print)
    assert caught.value.code == "registry_pull"
    assert caught.value.facts["tag"] == "127.0.0.1:9/python:3.11-slim"
