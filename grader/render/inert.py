r"""Text that cannot act: what a student wrote, made safe to show in any view.

Control, direction, zero-width and other invisible characters become `\u{..}`, so no byte of a submission moves a
cursor, sets a colour, hides a word or turns a line around. Every view shows foreign text through here, and escapes
for its own format on top.
"""

from __future__ import annotations

import math
import re
import unicodedata

from grader.records import Json

STRING_LIMIT = 4096
REPORT_LIMIT = 2 * 1024 * 1024
_DEEPEST = 32
_LONGEST_INT = 1 << 256

# Invisible although Unicode calls them letters or marks: joiners, fillers, variation selectors.
_INVISIBLE = frozenset(
    {
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0xFFFC),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    }
)
_ACTIVE = frozenset(["Cc", "Cf", "Cs", "Co", "Zl", "Zp"])
_PLAIN = re.compile(r"[ -~]*")
_PLAIN_LINES = re.compile(r"[ -~\n\t]*")


def inert(text: str, *, lines: bool = False, tail: bool = False, limit: int = STRING_LIMIT) -> str:
    r"""`text` with nothing active in it, at most `limit` bytes of UTF-8; what was cut is counted as `[… +N]`.

    `lines` keeps newlines and tabs (logs). `tail` keeps the end, where a build or a traceback says what went wrong.
    """
    if lines:
        text = text.replace("\r\n", "\n")
    plain = _PLAIN_LINES if lines else _PLAIN
    if len(text) <= limit and plain.fullmatch(text):
        return text
    # One character more than fits: enough to see that something is cut, without walking a huge text to its end.
    window = text[-limit - 1 :] if tail else text[: limit + 1]
    pieces = [_shown(character, lines) for character in window]
    if len(text) <= limit and sum(len(piece.encode()) for piece in pieces) <= limit:
        return "".join(pieces)
    return _cut(pieces, tail, limit, len(text))


def one_line(text: str, limit: int = STRING_LIMIT) -> str:
    """Inert text with each stretch of white space as one blank, for a place where a new line would mean something."""
    return " ".join(re.split(r"[ \n\t]+", inert(text, lines=True, limit=limit).strip(" \n\t")))


def inert_json(value: Json, depth: int = 0) -> Json:
    """Plain data with every string inert, keys included, and every number one that any JSON reader takes."""
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, str):
        return inert(value, lines=True)
    if isinstance(value, dict):
        return {inert(str(key)): inert_json(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [inert_json(entry, depth + 1) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) >= _LONGEST_INT:
        return f"2^{value.bit_length() - 1}…"
    return value


def capped(text: str, limit: int = REPORT_LIMIT) -> str:
    """A whole text report within its limit, cut at the end of a line and saying so."""
    data = text.encode()
    if len(data) <= limit:
        return text
    kept = data[: limit - 32].decode(errors="ignore").rpartition("\n")[0]
    return f"{kept}\n[… +{len(data) - len(kept.encode())}]\n"


def _shown(character: str, lines: bool) -> str:
    if lines and character in "\n\t":
        return character
    code = ord(character)
    active = unicodedata.category(character) in _ACTIVE or code in _INVISIBLE or code & 0xFFFE == 0xFFFE
    return f"\\u{{{code:x}}}" if active else character


def _cut(pieces: list[str], tail: bool, limit: int, length: int) -> str:
    room = limit - len(f"[… +{length}] ".encode())
    kept: list[str] = []
    for piece in reversed(pieces) if tail else pieces:
        room -= len(piece.encode())
        if room < 0:
            break
        kept.append(piece)
    mark = f"[… +{length - len(kept)}]"
    return f"{mark} {''.join(reversed(kept))}" if tail else f"{''.join(kept)} {mark}"
