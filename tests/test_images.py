"""The images that the grader makes: the same everywhere, free of the host's settings, and never somebody else's."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from grader import images
from grader.engines.base import ImageInfo
from grader.errors import InfraError
from grader.images import archive, folders, recipe, record, registry, rootfs, wheels


@dataclass
class FakeImages:
    """Tags and ids, as an engine keeps them."""

    tags: dict[str, str] = field(default_factory=dict)

    def find(self, reference: str) -> ImageInfo | None:
        found = self.tags.get(reference) or (reference if reference in self.tags.values() else None)
        return ImageInfo(found, 0, "", (), (), (), (), ()) if found else None

    def tag(self, image: str, reference: str) -> None:
        self.tags[reference] = image

    def remove(self, reference: str) -> None:
        self.tags.pop(reference, None)

    def load(self, source: BinaryIO) -> None:
        with tarfile.open(fileobj=source) as tar:
            manifest = json.load(tar.extractfile("manifest.json"))[0]
        self.tags[manifest["RepoTags"][0]] = f"sha256:{manifest['Config'].removesuffix('.json')}"


@dataclass
class FakeEngine:
    images: FakeImages = field(default_factory=FakeImages)


@pytest.fixture
def layers(tmp_path: Path) -> list[archive.LayerTar]:
    (tmp_path / "rootfs.tar").write_bytes(b"one")
    (tmp_path / "wheels.tar").write_bytes(b"two")
    return [archive.layer_tar(tmp_path / "rootfs.tar", "root"), archive.layer_tar(tmp_path / "wheels.tar", "wheels")]


def quiet(message: str) -> None:
    pass


def tree(files: dict[str, bytes | Path]) -> bytes:
    target = io.BytesIO()
    archive.write_tree(target, files)
    return target.getvalue()


# What the bytes of an image depend on


def test_a_file_s_time_and_owner_do_not_change_the_layer(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"same")
    first = tree({"b/file": path, "a": b"x"})
    os.utime(path, (1, 1))
    path.chmod(0o600)
    assert tree({"a": b"x", "b/file": path}) == first


def test_layer_members_belong_to_root_and_name_their_folders_first() -> None:
    with tarfile.open(fileobj=io.BytesIO(tree({"opt/wheelhouse/a.whl": b"x"}))) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["opt", "opt/wheelhouse", "opt/wheelhouse/a.whl"]
    assert {(member.uid, member.gid, member.mtime) for member in members} == {(0, 0, archive.EPOCH)}


def test_image_id_is_the_digest_of_the_configuration_in_the_archive(layers: list[archive.LayerTar]) -> None:
    config = archive.image_config(layers, {"LANG": "C.UTF-8"}, ["python3"], "x86_64")
    target = io.BytesIO()
    archive.write_archive(target, layers, config, ["grader/base:3.11"])
    target.seek(0)
    with tarfile.open(fileobj=target) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]
        stored = tar.extractfile(manifest["Config"]).read()
        bodies = [tar.extractfile(name).read() for name in manifest["Layers"]]
    assert archive.image_id(config) == f"sha256:{hashlib.sha256(stored).hexdigest()}"
    assert bodies == [b"one", b"two"]
    digests = [f"sha256:{hashlib.sha256(body).hexdigest()}" for body in bodies]
    assert json.loads(stored)["rootfs"]["diff_ids"] == digests


def test_another_layer_gives_another_image_id(layers: list[archive.LayerTar]) -> None:
    both = archive.image_config(layers, {}, [], "x86_64")
    one = archive.image_config(layers[:1], {}, [], "x86_64")
    assert archive.image_id(both) != archive.image_id(one)
    assert archive.image_id(both) == archive.image_id(archive.image_config(list(layers), {}, [], "x86_64"))


def test_a_changed_wheel_list_asks_for_a_new_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wheels.txt").write_text("numpy==2.4.6\n")
    monkeypatch.setattr(recipe, "BASE_FOLDER", tmp_path)
    before = recipe.recipe_tag()
    (tmp_path / "wheels.txt").write_text("numpy==2.4.7\n")
    assert recipe.recipe_tag() != before
    assert before.startswith("grader/base:3.11-")


def test_changed_driver_code_gives_another_tag() -> None:
    one = folders.Source("driver", "FROM python:3.11-slim\n", {"driver/main.py": b"1"})
    two = folders.Source("driver", "FROM python:3.11-slim\n", {"driver/main.py": b"2"})
    assert folders.content_digest("base", one) != folders.content_digest("base", two)
    assert folders.content_digest("base", one) != folders.content_digest("other base", one)


# What the host must not put in


def test_host_pip_and_apt_settings_do_not_reach_the_build_of_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "APT_CONFIG", "PYTHONPATH"):
        monkeypatch.setenv(name, "https://mirror.invalid/simple")
    assert "mirror.invalid" not in str(rootfs.bootstrap_environment(tmp_path))


# Finding, loading, building


def test_without_root_the_missing_base_names_the_command_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InfraError) as caught:
        images.ensure_base(FakeEngine(), tmp_path, quiet)
    assert caught.value.code == "base_missing"
    assert caught.value.facts["command"].startswith("sudo ")
    assert caught.value.facts["command"].endswith("grader images build")


def test_an_engine_that_lost_the_base_gets_it_from_the_cache_without_a_build(
    tmp_path: Path, layers: list[archive.LayerTar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    diff_ids = [layer.diff_id for layer in layers]
    record.write_json(tmp_path / "layers.json", {"recipe": recipe.recipe_tag(), "diff_ids": diff_ids})
    engine = FakeEngine()
    info = images.ensure_base(engine, tmp_path, quiet)
    assert engine.images.tags == {"grader/base:3.11": info.id, recipe.recipe_tag(): info.id}


def test_a_cut_layer_in_the_cache_is_not_loaded(
    tmp_path: Path, layers: list[archive.LayerTar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    diff_ids = [layer.diff_id for layer in layers]
    record.write_json(tmp_path / "layers.json", {"recipe": recipe.recipe_tag(), "diff_ids": diff_ids})
    layers[0].path.write_bytes(b"on")
    with pytest.raises(InfraError):
        images.ensure_base(FakeEngine(), tmp_path, quiet)


def test_a_base_of_an_older_recipe_is_not_taken_for_today_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    engine = FakeEngine(FakeImages({"grader/base:3.11": "sha256:old", "grader/base:3.11-older": "sha256:old"}))
    with pytest.raises(InfraError, match="base_missing"):
        images.ensure_base(engine, tmp_path, quiet)


def test_a_half_downloaded_wheelhouse_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "_download", lambda folder, *rest: (folder / "pip-26.3-py3-none-any.whl").touch())
    with pytest.raises(InfraError) as caught:
        wheels.ensure_wheelhouse(tmp_path, quiet)
    assert caught.value.code == "wheels_missing"
    assert "numpy" in caught.value.facts["missing"].split(", ")
    assert "pip" not in caught.value.facts["missing"].split(", ")


def test_every_pin_is_exact() -> None:
    text = (recipe.BASE_FOLDER / "wheels.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(line.count("==") == 1 for line in lines)
    assert len(wheels.read_pins(text)) == len(lines)


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("python:3.11-slim", ("python", "3.11-slim")),
        ("python", ("python", "latest")),
        ("127.0.0.1:5000/python:3.11-slim", ("127.0.0.1:5000/python", "3.11-slim")),
        ("127.0.0.1:5000/python", ("127.0.0.1:5000/python", "latest")),
    ],
)
def test_the_port_of_a_registry_is_not_taken_for_a_tag(reference: str, parts: tuple[str, str]) -> None:
    assert registry.split_tag(reference) == parts


# Removing


def test_an_image_that_others_made_is_never_removed(tmp_path: Path) -> None:
    engine = FakeEngine(FakeImages({"grader/base:3.11": "sha256:ours", "grader/base:theirs": "sha256:theirs"}))
    record.add_to_record(tmp_path, images.Recorded("grader/base:3.11", "sha256:ours", "base"))
    images.remove_images(engine, tmp_path, quiet)
    assert engine.images.tags == {"grader/base:theirs": "sha256:theirs"}
    assert images.list_images(engine, tmp_path) == ()


def test_a_recorded_tag_that_now_names_another_image_is_left_alone(tmp_path: Path) -> None:
    record.add_to_record(tmp_path, images.Recorded("grader/driver:x", "sha256:ours", "driver"))
    engine = FakeEngine(FakeImages({"grader/driver:x": "sha256:theirs"}))
    images.remove_images(engine, tmp_path, quiet)
    assert engine.images.tags == {"grader/driver:x": "sha256:theirs"}


def test_the_base_that_a_new_one_replaced_stays_on_record(tmp_path: Path) -> None:
    record.add_to_record(tmp_path, images.Recorded("grader/base:3.11", "sha256:old", "base"))
    record.add_to_record(tmp_path, images.Recorded("grader/base:3.11", "sha256:new", "base"))
    assert [(image.tag, image.id) for image in record.read_record(tmp_path)] == [
        ("sha256:old", "sha256:old"),
        ("grader/base:3.11", "sha256:new"),
    ]


def test_every_error_of_the_images_has_its_sentence_in_both_languages() -> None:
    words: dict[str, Any] = tomllib.loads((Path(images.__file__).parents[1] / "words" / "images.toml").read_text())
    sources = "".join(path.read_text() for path in Path(images.__file__).parent.glob("*.py"))
    assert set(re.findall(r'InfraError\("(\w+)"', sources)) == set(words)
    assert all(set(sentences) == {"en", "fr"} for sentences in words.values())
