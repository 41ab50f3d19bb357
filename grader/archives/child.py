"""What runs in the child process: it limits itself, then unpacks the archive on its standard input."""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
from typing import BinaryIO

from grader.archives.folder import DISK_ERRORS, Folder
from grader.archives.names import MIB
from grader.archives.untar import looks_like_tar, untar
from grader.archives.unzip import unzip
from grader.errors import Fact, SubmissionError

CPU_SECONDS = 10
MEMORY_BYTES = 256 * MIB
_LINK_MET = {errno.ELOOP, errno.ENOTDIR}


def main() -> None:
    """Print one JSON object: empty, or with the `code` and `facts` of the refusal."""
    for limit, value in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    with open(sys.stdin.fileno(), "rb", closefd=False) as file:
        print(json.dumps(outcome(file, int(sys.argv[2]))))


def outcome(file: BinaryIO, root: int) -> dict[str, Fact | dict[str, Fact]]:
    """Unpack into the open folder `root`; say what was refused, if anything."""
    try:
        _unpack(file, root)
    except SubmissionError as error:
        return {"code": error.code, "facts": error.facts}
    except MemoryError:
        return {"code": "too_slow", "facts": {"seconds": CPU_SECONDS}}
    except OSError as error:
        if error.errno in DISK_ERRORS:
            return {"code": "staging_disk", "facts": {"detail": str(error.strerror)}}
        # Every name was checked and nothing is overwritten: what is left is a link on the way.
        return {"code": "link" if error.errno in _LINK_MET else "corrupt", "facts": {"path": ".", "other": "."}}
    return {}


def _unpack(file: BinaryIO, root: int) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(512)
    file.seek(0)
    into = Folder(root, upload=size, extra_depth=1)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        unzip(file, size, into)
    elif head.startswith(b"\x1f\x8b"):
        untar(file, True, into)
    elif looks_like_tar(head):
        untar(file, False, into)
    else:
        raise SubmissionError("format", stage="stage", found="")
