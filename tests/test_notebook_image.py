"""The notebook image in a real engine, under the sandbox's settings: whole, exact, nothing of the host inside."""

from __future__ import annotations

import json
import re
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import docker
import pytest

from grader import images
from grader.engines import open_engine
from grader.engines.base import Engine, ImageInfo, Layer, RunRequest
from grader.images import folders, notebook, record, wheels
from tests.test_images_engine import host_names

pytestmark = pytest.mark.engine
ROOT = Path(__file__).resolve().parents[1]
UNWANTED = re.compile(
    r"(^|/)(root|tmp|tests|private|var/cache|\.cache|\.local|\.ipython|\.jupyter|\.git|\.env|pip\.conf|resolv\.conf)(/|$)"
    r"|\.(whl|key|netrc)$|(^|/)id_(rsa|ed25519)"
)
CACHE = ROOT / ".cache"
LIGHT = ROOT / "tests" / "bench" / "throughput"
USERS = (None, "65534:65534")  # the image's own, and the one that the grader's sandbox takes
MOST_BYTES = 2_100_000_000
MOST_CODE_BYTES = 16_000_000

IMPORTS = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
names = ["numpy", "torch", "torch.onnx", "pandas", "pyarrow.parquet", "scipy.stats", "sklearn.ensemble",
    "sklearn.datasets", "safetensors.torch", "safetensors.numpy", "skops.io", "onnx", "onnx.checker", "onnxscript",
    "onnxruntime", "onnxruntime.quantization", "skl2onnx", "google.protobuf.message", "openvino", "jupyterlab",
    "ipykernel", "papermill", "nbclient", "nbconvert", "nbval", "jupytext", "matplotlib.pyplot", "picklescan.scanner",
    "fickling.fickle", "modelscan.modelscan", "grader.cli", "workbench"]
for name in names:
    importlib.import_module(name)
from importlib.metadata import distributions
print(json.dumps({found.metadata["Name"]: found.version for found in distributions()}))
"""

WRITES = """
import json, os, pathlib
def refused(path):
    try:
        pathlib.Path(path, "x").write_text("x")
    except OSError:
        return True
    return False
folders = ["/", "/work", "/usr/local/lib/python3.11/site-packages", "/etc", "/var/tmp", "/opt"]
interfaces = [line.split(":")[0].strip() for line in open("/proc/net/dev").read().splitlines()[2:]]
home = os.environ["HOME"]
print(json.dumps({"uid": os.getuid(), "open": [path for path in folders if not refused(path)], "home": home,
    "home_open": not refused(home), "interfaces": interfaces}))
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    found = open_engine("auto")
    if found is None:
        pytest.skip("no container engine answers")
    yield found
    found.close()


@pytest.fixture(scope="module")
def image(engine: Engine) -> ImageInfo:
    return images.ensure_notebook(engine, CACHE, print)


@pytest.fixture(scope="module")
def packages(engine: Engine, image: ImageInfo) -> ImageInfo:
    return notebook.ensure_packages(engine, images.ensure_base(engine, CACHE, print), CACHE, print)


@pytest.fixture(scope="module")
def layers(engine: Engine, image: ImageInfo) -> tuple[Layer, ...]:
    """The image's layers; those over the course base are its own."""
    return engine.images.layers(image.id, images.ensure_base(engine, CACHE, print).id)


def run_in(engine: Engine, image: ImageInfo, *command: str, user: str | None = None, files: Path | None = None) -> str:
    """What a command prints in a sandbox: no network, no rights, read-only root."""
    request = RunRequest(
        image.id, f"grader-test-{uuid.uuid4().hex[:12]}", command=command, user=user, memory_mib=2048, pids=512,
        model_folder=files,
    )  # fmt: skip
    if user is not None:
        request = replace(request, env={"HOME": "/tmp"})
    sandbox = engine.runner.start(request)
    try:
        state = sandbox.wait(120)
        assert state.exit_code == 0, sandbox.log()
        return sandbox.log()
    finally:
        sandbox.remove()


@pytest.mark.parametrize("user", USERS)
def test_everything_imports_in_the_sandbox_at_the_pinned_version(
    engine: Engine, image: ImageInfo, user: str | None
) -> None:
    """Isolated (-I), as the grader starts it: what stands in the work folder or a variable must not be needed."""
    said = run_in(engine, image, "python", "-I", "-c", IMPORTS, user=user)
    found = {wheels.canonical(name): version for name, version in json.loads(said.splitlines()[-1]).items()}
    wanted = wheels.read_pins((notebook.FOLDER / "wheels.txt").read_text())
    assert {name: found.get(name) for name in wanted} == wanted
    assert set(found) - set(wanted) <= {"pip", "wheel", "packaging", "setuptools"}  # the base brings these


def test_the_packages_are_complete(engine: Engine, image: ImageInfo) -> None:
    assert "No broken requirements found" in run_in(engine, image, "python", "-m", "pip", "check")


@pytest.mark.parametrize("user", USERS)
def test_nothing_but_the_home_in_memory_can_be_written(engine: Engine, image: ImageInfo, user: str | None) -> None:
    found = json.loads(run_in(engine, image, "python", "-I", "-c", WRITES, user=user))
    assert found["uid"] in (10001, 65534)
    assert found["open"] == []
    assert (found["home"], found["home_open"]) == ("/tmp", True)
    assert found["interfaces"] == ["lo"]


@pytest.mark.parametrize("user", USERS)
def test_a_notebook_runs_in_the_sandbox(engine: Engine, image: ImageInfo, user: str | None) -> None:
    script = (
        "from papermill import execute_notebook as run\n"
        "run('/models/light.ipynb', '/tmp/out.ipynb', {'out_dir': '/tmp'}, kernel_name='python3', progress_bar=False)\n"
        "print(open('/tmp/result.json').read())\n"
    )
    said = run_in(engine, image, "python", "-I", "-c", script, user=user, files=LIGHT)
    assert json.loads(said.splitlines()[-1])["accuracy"] > 0.9


def test_no_import_has_to_compile(engine: Engine, image: ImageInfo) -> None:
    """The root is read-only: what is not compiled in the image would be compiled again by each submission."""
    script = (
        "import pathlib\n"
        "folders = ['/usr/local/lib/python3.11/site-packages', '/usr/lib/python3.11']\n"
        "for path in [path for folder in folders for path in pathlib.Path(folder).rglob('*.py')]:\n"
        "    if not (path.parent / '__pycache__' / f'{path.stem}.cpython-311.pyc').exists(): print(path)\n"
    )
    bare = run_in(engine, image, "python", "-I", "-c", script).split()
    unused = re.compile("py312_|/(test|lib2to3|idlelib)/")  # the first is in a later Python's syntax
    from_base = ("/pip/", "/setuptools/", "/wheel/", "/packaging/", "/pkg_resources/", "/_distutils_hack/", "distutils")
    left = [path for path in bare if not any(part in path for part in from_base)]
    assert [path for path in left if not unused.search(path)] == []


def test_no_layer_holds_a_cache_a_wheel_a_secret_or_a_name_of_the_host(
    image: ImageInfo, layers: tuple[Layer, ...], tmp_path: Path
) -> None:
    """Looked for in every layer of its own: what a later one deletes is still in the image."""
    below = sum(not layer.own for layer in layers)
    words = host_names()
    paths, holders = [], []
    for member, content in saved_files(image, below, tmp_path):
        paths.append(member.name)
        text = content.read() if member.size < 1_000_000 else b""
        holders += [member.name for word in words if word in text]
    assert len(paths) > 10_000
    assert [path for path in paths if UNWANTED.search(path)] == []
    assert holders == []


def saved_files(image: ImageInfo, below: int, folder: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """Every regular file of the image's layers over the first `below`, as the engine exports them."""
    saved = folder / "image.tar"
    with docker.APIClient(timeout=300, **docker.utils.kwargs_from_env()) as client, saved.open("wb") as file:
        file.writelines(client.get_image(image.id))
    with tarfile.open(saved) as outer:
        manifest = json.load(outer.extractfile("manifest.json"))[0]
        for name in manifest["Layers"][below:]:
            with tarfile.open(fileobj=outer.extractfile(name)) as layer:
                yield from ((member, layer.extractfile(member)) for member in layer if member.isfile())
    saved.unlink()


def test_the_image_stays_as_large_as_the_docs_say(image: ImageInfo, layers: tuple[Layer, ...]) -> None:
    assert image.size < MOST_BYTES
    assert sum(layer.size for layer in layers if layer.own) < MOST_BYTES - 289_000_000


def test_a_change_of_our_code_makes_the_last_small_layer_alone(
    engine: Engine, image: ImageInfo, packages: ImageInfo, tmp_path: Path
) -> None:
    files = {
        "site-packages/grader/new.py": f"# {uuid.uuid4().hex}".encode(),
        "site-packages/workbench/__init__.py": b"",
    }
    source = folders.Source("notebook", (notebook.FOLDER / "Dockerfile").read_text(), files)
    changed = folders.ensure_image(engine, packages, source, tmp_path, print)
    try:
        shared = len(packages.diff_ids)
        assert changed.diff_ids[:shared] == packages.diff_ids == image.diff_ids[:shared]
        assert len(changed.diff_ids) - shared == 2
        assert image.size - packages.size < MOST_CODE_BYTES
    finally:
        images.remove_images(engine, tmp_path, print)
    assert engine.images.find(changed.id) is None


def test_the_image_and_its_packages_are_on_record(image: ImageInfo, packages: ImageInfo) -> None:
    """What is not on record, `make clean` does not take away; what another checkout made is on that one's record."""
    kinds = {entry.id: entry.kind for entry in record.read_record(CACHE)}
    if (CACHE / "notebook").is_dir():  # the wheels that it was made of: it was made here
        assert (kinds.get(packages.id), kinds.get(image.id)) == ("packages", "notebook")
    assert "step" not in kinds.values()
