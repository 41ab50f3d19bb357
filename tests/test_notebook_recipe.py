"""The recipe of the notebook image: one set of versions everywhere, and attempts that fail leave nothing unknown."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grader.engines.base import BuildRequest, Built, ImageInfo, OnImage
from grader.errors import InfraError
from grader.images import notebook, record, wheels
from grader.images.recipe import BASE_FOLDER

ROOT = Path(__file__).resolve().parents[1]
BASE = ImageInfo("sha256:base", 0, "", (), (), (), (), ())


@dataclass
class FakeEngine:
    """Keeps tags and ids; a build makes the images that it is told to, and ends as it is told to."""

    ends: Built
    makes: tuple[str, ...] = ()
    known: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    requests: list[BuildRequest] = field(default_factory=list)

    @property
    def images(self) -> FakeEngine:
        return self

    @property
    def builder(self) -> FakeEngine:
        return self

    def find(self, reference: str) -> ImageInfo | None:
        found = self.known.get(reference)
        return ImageInfo(found, 0, "", (), (), (), (), ()) if found else None

    def build(self, request: BuildRequest, on_image: OnImage) -> Built:
        self.requests.append(request)
        for image in self.makes:
            self.known[image] = self.known[f"sha256:{image}"] = f"sha256:{image}"
            on_image(image, True)
        if self.ends.image:
            self.known[request.tag] = self.known[self.ends.image] = self.ends.image
        return self.ends

    def remove(self, *names: str) -> None:
        self.removed.append(names[-1])
        self.known.pop(names[-1], None)


def quiet(message: str) -> None:
    pass


def pins(path: Path) -> dict[str, str]:
    return wheels.read_pins(path.read_text())


@pytest.fixture
def wheelhouse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = tmp_path / "torch-1-py3-none-any.whl"
    wheel.write_bytes(b"")
    monkeypatch.setattr(notebook, "ensure_wheels", lambda *rest: (wheel,))


# One set of versions


def test_the_image_has_the_versions_that_are_tested_together() -> None:
    constraints = pins(ROOT / "constraints.txt")
    image = {name: version.partition("+")[0] for name, version in pins(notebook.FOLDER / "wheels.txt").items()}
    del image["setuptools"]  # no pin of a development environment, which brings its own
    assert {name: constraints.get(name) for name in image} == image


def test_the_notebook_extra_is_in_the_image_version_by_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = wheels.read_pins("\n".join(project["optional-dependencies"]["notebook"]))
    image = {name: version.partition("+")[0] for name, version in pins(notebook.FOLDER / "wheels.txt").items()}
    assert extra["torch"] == "2.13.0"
    assert {name: image.get(name) for name in extra} == extra


def test_what_the_grader_itself_imports_is_in_the_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {wheels.canonical(re.match(r"[\w.-]+", line)[0]) for line in project["dependencies"]}
    assert needed <= set(pins(notebook.FOLDER / "wheels.txt"))


def test_torch_is_the_build_without_graphics_cards() -> None:
    assert pins(notebook.FOLDER / "wheels.txt")["torch"].endswith("+cpu")


# Downloads


def test_a_wheel_that_the_base_has_is_not_downloaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing, own, lent = tmp_path / "wheels.txt", tmp_path / "own", tmp_path / "lent"
    listing.write_text("numpy==2.4.6\ntorch==2.13.0+cpu\n")
    own.mkdir()
    lent.mkdir()
    (lent / "numpy-2.4.6-cp311-cp311-linux.whl").touch()
    asked: list[list[str]] = []

    def download(folder: Path, listed: str, requirements: list[str]) -> None:
        asked.append(requirements)
        (folder / "torch-2.13.0+cpu-cp311-cp311-linux.whl").touch()

    monkeypatch.setattr(wheels, "_download", download)
    found = wheels.ensure_wheels(listing, (own, lent), quiet)
    assert asked == [["torch==2.13.0+cpu"]]
    assert [path.parent.name for path in found] == ["lent", "own"]


def test_wheels_that_arrived_before_the_network_went_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = tmp_path / "wheels.txt"
    listing.write_text("".join(f"package{number}==1\n" for number in range(100, 200)))
    asked: list[list[str]] = []

    def download(folder: Path, listed: str, requirements: list[str]) -> None:
        asked.append(requirements)
        if len(asked) == 2:
            raise InfraError("wheels_download", list=listed, detail="")
        for requirement in requirements:
            (folder / f"{requirement.replace('==', '-')}-py3-none-any.whl").touch()

    monkeypatch.setattr(wheels, "_download", download)
    with pytest.raises(InfraError):
        wheels.ensure_wheels(listing, (tmp_path / "own",), quiet)
    assert len(wheels.ensure_wheels(listing, (tmp_path / "own",), quiet)) == 100
    assert asked[2] == asked[1]
    assert sum(map(len, asked)) == 100 + len(asked[1])


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "wheels_disk_full"),
        ("ERROR: No matching distribution found for torch==2.13.0+cpu", "wheels_torch"),
        ("WARNING: Retrying\nERROR: No matching distribution found for numpy==2.4.6", "wheels_download"),
    ],
)
def test_each_trouble_of_a_download_has_its_sentence(
    said: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(wheels.subprocess, "run", lambda *rest, **more: failed)
    with pytest.raises(InfraError) as caught:
        wheels.ensure_wheels(BASE_FOLDER / "wheels.txt", (tmp_path,), quiet)
    assert caught.value.code == code
    assert "WARNING" not in str(caught.value.facts.get("detail"))


# Builds


def test_too_little_room_is_said_before_anything_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=3_000_000_000))
    monkeypatch.setattr(notebook, "ensure_wheels", lambda *rest: pytest.fail("downloaded"))
    with pytest.raises(InfraError) as caught:
        notebook.ensure_packages(FakeEngine(Built(None, None, "", None, "")), BASE, tmp_path, quiet)
    assert caught.value.code == "image_no_room"
    assert caught.value.facts["free"] == "3.0"


@pytest.mark.usefixtures("wheelhouse")
@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (Built(None, "failed", "write /x: no space left on device", 3, ""), "image_disk_full"),
        (Built(None, "disk", "", 3, ""), "image_disk_full"),
        (Built(None, "failed", "returned a non-zero code: 1", 3, ""), "image_build_failed"),
    ],
)
def test_a_failed_build_leaves_its_images_on_record(ends: Built, code: str, tmp_path: Path) -> None:
    """They are gigabytes: the next attempt goes on from them, and `make clean` must know them."""
    engine = FakeEngine(ends, makes=("111111111111", "222222222222"))
    with pytest.raises(InfraError) as caught:
        notebook.ensure_packages(engine, BASE, tmp_path, quiet)
    assert caught.value.code == code
    assert [image.tag for image in record.read_record(tmp_path)] == ["sha256:111111111111", "sha256:222222222222"]


@pytest.mark.usefixtures("wheelhouse")
def test_a_build_that_ends_well_keeps_its_image_alone(tmp_path: Path) -> None:
    engine = FakeEngine(Built("sha256:222222222222", None, "", None, ""), makes=("111111111111", "222222222222"))
    found = notebook.ensure_packages(engine, BASE, tmp_path, quiet)
    assert found.id == "sha256:222222222222"
    assert engine.removed == ["sha256:111111111111"]
    assert [(image.kind, image.id) for image in record.read_record(tmp_path)] == [("packages", found.id)]
    assert notebook.ensure_packages(engine, BASE, tmp_path, quiet) == found
    assert len(engine.requests) == 1


@pytest.mark.usefixtures("wheelhouse")
def test_new_pins_take_the_older_images_away_and_leave_others(tmp_path: Path) -> None:
    engine = FakeEngine(Built("sha256:new", None, "", None, ""))
    others = {"grader/packages:theirs": "sha256:theirs", "grader/driver:x": "sha256:driver"}
    engine.known = {"grader/packages:old": "sha256:old", "grader/notebook:old": "sha256:old2", **others}
    kinds = {"grader/packages:old": "packages", "grader/notebook:old": "notebook", "grader/driver:x": "driver"}
    for tag, kind in kinds.items():
        record.add_to_record(tmp_path, record.Recorded(tag, engine.known[tag], kind))
    notebook.ensure_packages(engine, BASE, tmp_path, quiet)
    assert engine.removed == ["grader/notebook:old", "grader/packages:old"]
    assert others.items() <= engine.known.items()
    assert {image.kind for image in record.read_record(tmp_path)} == {"packages", "driver"}


def test_the_dockerfiles_ask_for_nothing_from_outside() -> None:
    texts = [path.read_text() for path in notebook.FOLDER.glob("*Dockerfile")]
    assert len(texts) == 2
    words: list[Any] = [re.findall(r"https?://|apt-get|curl|--mount|ADD", text) for text in texts]
    assert words == [[], []]
