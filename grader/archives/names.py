"""What a submission may hold: limits, and the rules for a path inside it."""

from __future__ import annotations

import re
import unicodedata

from grader.errors import SubmissionError

MIB = 1 << 20
UPLOAD_BYTES = 50 * MIB
TOTAL_BYTES = 100 * MIB
FILE_BYTES = 50 * MIB
FILES = 2_000
FOLDERS = 500
DEPTH = 16
PATH_BYTES = 512
NAME_BYTES = 200

_LEFT_OUT = frozenset({"__MACOSX", ".DS_Store", ".git", "__pycache__", ".ipynb_checkpoints", ".workbench.json"})
# Control characters, and marks that reorder text so that a name reads as another one.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_DRIVE = re.compile(r"[A-Za-z]:")


def left_out(parts: tuple[str, ...]) -> bool:
    """Tell whether a path is litter of an operating system or a tool, which no submission needs."""
    return any(part in _LEFT_OUT or part.startswith("._") for part in parts)


def parts_of(name: str) -> tuple[str, ...]:
    """Give the parts of a path as the submission may use it; refuse one that could point elsewhere."""
    if len(name) > 2 * PATH_BYTES:
        # Composing accents takes a time that grows with the square of a hostile length.
        raise too_long(name)
    path = unicodedata.normalize("NFC", name.replace("\\", "/"))
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if (
        path.startswith("/")
        or _DRIVE.match(path)
        or _FORBIDDEN.search(path)
        or any(part == ".." or part.endswith((".", " ")) for part in parts)
    ):
        raise SubmissionError("path", stage="stage", path=name)
    return parts


def decode_name(raw: bytes) -> str:
    """Give a name as text; only UTF-8 is read, so that no two readers can disagree on it."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise SubmissionError("path", stage="stage", path=raw[:PATH_BYTES].decode("utf-8", "replace")) from None


def check_length(parts: tuple[str, ...], extra_depth: int = 0) -> None:
    """Refuse a path that is too deep or too long."""
    path = "/".join(parts)
    deep = len(parts) > DEPTH + extra_depth
    long = len(path.encode()) > PATH_BYTES + extra_depth * (NAME_BYTES + 1)
    if deep or long or any(len(part.encode()) > NAME_BYTES for part in parts):
        raise too_long(path)


def too_long(path: str) -> SubmissionError:
    """The refusal of a path beyond the limits, itself cut to a length that can be shown."""
    return SubmissionError(
        "depth", stage="stage", path=path[:NAME_BYTES], depth=DEPTH, path_bytes=PATH_BYTES, name_bytes=NAME_BYTES
    )


def fold(parts: tuple[str, ...]) -> str:
    """Give the key under which two names collide on a file system that ignores case or accents' form."""
    return unicodedata.normalize("NFC", "/".join(parts).casefold())
