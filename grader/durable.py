"""Writing so that a power cut leaves the old bytes or the new ones, never half of them."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path

from grader.errors import InfraError


def write_whole(path: Path, content: bytes) -> None:
    """Temporary file, fsync, rename, fsync of the folder. Raises `InfraError` and leaves no trace where it fails."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise disk_trouble(error, path) from error


def sync_folder(folder: Path) -> None:
    """Make the names inside `folder` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def disk_trouble(error: OSError, path: Path) -> InfraError:
    """What a reader should be told about `error` on `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InfraError("disk_full", path=str(path))
    return InfraError("store_unwritable", path=str(path), reason=error.strerror or type(error).__name__)
