"""The build context as the engine gets it: regular files and folders only, equal content gives equal bytes."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path, PurePosixPath

from grader.records import Build, Staged

DOCKERFILE = ".grader/Dockerfile"
IGNORE = ".dockerignore"
HIDE_OURS = f"\n{DOCKERFILE}\n".encode()  # read by the engine, which then keeps our file out of `COPY . .`
FIXED_TIME = 1_700_000_000
TOUCH = {".py": b"\n# touched\n", ".js": b"\n// touched\n", ".ts": b"\n// touched\n", ".go": b"\n// touched\n"}


def write_context(build: Build, staged: Staged, target: Path, touched: str | None = None) -> Path:
    """The context tar at `target`; `touched` names a file that gets a comment added at its end."""
    wanted = set(build.context)
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        folders: set[str] = set()
        for file in staged.files:
            if file.path in wanted:
                data = Path(staged.root, file.path).read_bytes()
                if file.path == touched:
                    data += TOUCH.get(PurePosixPath(file.path).suffix, b"\n")
                if file.path == IGNORE:
                    data += HIDE_OURS
                _add(tar, folders, file.path, data, file.executable)
        for path, text in sorted(build.extra.items()):
            _add(tar, folders, path, text.encode(), False)
        if IGNORE not in wanted:
            _add(tar, folders, IGNORE, HIDE_OURS, False)
        _add(tar, folders, DOCKERFILE, build.dockerfile.encode(), False)
    return target


def _add(tar: tarfile.TarFile, folders: set[str], path: str, data: bytes, executable: bool) -> None:
    for parent in reversed(PurePosixPath(path).parents[:-1]):
        if str(parent) not in folders:
            folders.add(str(parent))
            member = _member(str(parent), 0o755)
            member.type = tarfile.DIRTYPE
            tar.addfile(member)
    member = _member(path, 0o755 if executable else 0o644)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _member(path: str, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.mode, member.mtime, member.uid, member.gid = mode, FIXED_TIME, 0, 0
    return member
