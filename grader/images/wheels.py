"""Lists of pinned wheels, kept in the cache: the course's own, one layer of the base, and the notebook image's."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

from grader.errors import InfraError
from grader.images.archive import LayerTar, layer_tar, write_tree
from grader.images.recipe import BASE_FOLDER, Progress

PYTHON = "3.11.2"  # of bookworm
WHEELS_LINE = "course wheels in /opt/wheelhouse"
GLIBC_MINORS = range(5, 37)  # bookworm has glibc 2.36
AT_ONCE = 48  # wheels of one call of pip: what it has is kept when the next call is interrupted


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
    """One wheel for each pin of the course base, downloaded where the cache lacks it."""
    return ensure_wheels(BASE_FOLDER / "wheels.txt", (cache / "wheelhouse",), progress)


def ensure_wheels(listing: Path, folders: tuple[Path, ...], progress: Progress) -> tuple[Path, ...]:
    """One wheel for each pin of `listing`, from the first of the folders that has it.

    What none has is downloaded into the first by this interpreter's pip, a part at a time.
    """
    pins = read_pins(listing.read_text())
    wheels = _found(folders, pins)
    missing = [name for name in sorted(pins) if name not in wheels]
    listed = f"docker/{listing.parent.name}/{listing.name}"
    folders[0].mkdir(parents=True, exist_ok=True)
    for start in range(0, len(missing), AT_ONCE):
        progress(f"downloading wheels: {len(wheels) + start} of {len(pins)} are here")
        part = missing[start : start + AT_ONCE]
        _download(folders[0], listed, [f"{name}=={pins[name]}" for name in part])
    wheels = _found(folders, pins) if missing else wheels
    lacking = sorted(set(pins) - set(wheels))
    if lacking:
        raise InfraError("wheels_missing", list=listed, missing=", ".join(lacking), folder=str(folders[0]))
    return tuple(wheels[name] for name in sorted(wheels))


def write_wheel_layer(target: Path, wheels: tuple[Path, ...]) -> LayerTar:
    """The layer with /opt/wheelhouse and the pip configuration that makes pip look there and nowhere else."""
    with target.open("wb") as file:
        write_tree(file, wheel_files(wheels))
    return layer_tar(target, WHEELS_LINE)


def wheel_files(wheels: tuple[Path, ...]) -> dict[str, bytes | Path]:
    files: dict[str, bytes | Path] = {f"opt/wheelhouse/{wheel.name}": wheel for wheel in wheels}
    return files | {"etc/pip.conf": BASE_FOLDER / "pip.conf"}


def _found(folders: tuple[Path, ...], pins: dict[str, str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for wheel in [wheel for folder in folders for wheel in sorted(folder.glob("*.whl"))]:
        name, version = wheel.name.split("-")[:2]
        if pins.get(canonical(name)) == version:
            found.setdefault(canonical(name), wheel)
    return found


def _download(folder: Path, listed: str, requirements: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--python-version", PYTHON, "--implementation", "cp"]
    command += [part for abi in ("cp311", "abi3", "none") for part in ("--abi", abi)]
    command += [part for name in _platforms() for part in ("--platform", name)]
    command += ["--dest", str(folder), *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise _download_trouble(done.stderr, folder, listed)


def _download_trouble(said: str, folder: Path, listed: str) -> InfraError:
    """What a failed download comes down to, for the person who has to mend it."""
    if "No space left on device" in said:
        return InfraError("wheels_disk_full", folder=str(folder))
    if "No matching distribution found for torch" in said:
        return InfraError("wheels_torch")
    # pip warns of much; what it failed for is the last that it says.
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("WARNING")]
    return InfraError("wheels_download", list=listed, detail="\n".join(lines)[-600:])


def _platforms() -> list[str]:
    machine = platform.machine()
    names = [f"manylinux_2_{minor}_{machine}" for minor in reversed(GLIBC_MINORS)]
    return [*names, *(f"manylinux{year}_{machine}" for year in ("2014", "2010", "1"))]
