"""The course's wheels: pinned in docker/base/wheels.txt, kept in the cache, one layer of the base."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

from grader.errors import InfraError
from grader.images.archive import LayerTar, layer_tar, write_tree
from grader.images.recipe import BASE_FOLDER, Progress

PYTHON = "3.11"
WHEELS_LINE = "course wheels in /opt/wheelhouse"
GLIBC_MINORS = range(5, 37)  # bookworm has glibc 2.36


def read_pins(text: str) -> dict[str, str]:
    """Package names (in their canonical spelling) and versions of a list of pins."""
    lines = (line.split("#", 1)[0].strip() for line in text.splitlines())
    pairs = (line.split("==", 1) for line in lines if line)
    return {canonical(name): version for name, version in pairs}


def course_packages() -> tuple[str, ...]:
    """Names of the packages that a student's build may install."""
    return tuple(sorted(read_pins((BASE_FOLDER / "wheels.txt").read_text())))


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def ensure_wheelhouse(cache: Path, progress: Progress) -> tuple[Path, ...]:
    """One wheel for each pin, downloaded by this interpreter's pip where the cache lacks it."""
    folder = cache / "wheelhouse"
    pins = read_pins((BASE_FOLDER / "wheels.txt").read_text())
    wheels = _matching(folder, pins)
    if len(wheels) < len(pins):
        progress(f"downloading {len(pins) - len(wheels)} of {len(pins)} wheels")
        folder.mkdir(parents=True, exist_ok=True)
        _download(folder)
        wheels = _matching(folder, pins)
    missing = sorted(set(pins) - set(wheels))
    if missing:
        raise InfraError("wheels_missing", missing=", ".join(missing), folder=str(folder))
    return tuple(wheels[name] for name in sorted(wheels))


def write_wheel_layer(target: Path, wheels: tuple[Path, ...]) -> LayerTar:
    """The layer with /opt/wheelhouse and the pip configuration that makes pip look there and nowhere else."""
    with target.open("wb") as file:
        write_tree(file, wheel_files(wheels))
    return layer_tar(target, WHEELS_LINE)


def wheel_files(wheels: tuple[Path, ...]) -> dict[str, bytes | Path]:
    files: dict[str, bytes | Path] = {f"opt/wheelhouse/{wheel.name}": wheel for wheel in wheels}
    return files | {"etc/pip.conf": BASE_FOLDER / "pip.conf"}


def _matching(folder: Path, pins: dict[str, str]) -> dict[str, Path]:
    found = {}
    for wheel in sorted(folder.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        if pins.get(canonical(name)) == version:
            found[canonical(name)] = wheel
    return found


def _download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--python-version", PYTHON, "--implementation", "cp"]
    command += [part for abi in ("cp311", "abi3", "none") for part in ("--abi", abi)]
    command += [part for name in _platforms() for part in ("--platform", name)]
    command += ["--dest", str(folder), "--requirement", str(BASE_FOLDER / "wheels.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InfraError("wheels_download", detail=done.stderr.strip()[-600:])


def _platforms() -> list[str]:
    machine = platform.machine()
    names = [f"manylinux_2_{minor}_{machine}" for minor in reversed(GLIBC_MINORS)]
    return [*names, *(f"manylinux{year}_{machine}" for year in ("2014", "2010", "1"))]
