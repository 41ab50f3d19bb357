"""Looks for pickles in every file of artifacts/, zips included, without loading any. None of the student's code runs.

python inspect_artifacts.py WORK OUT -> OUT/inspection.json {"files": int, "pickles": [path], "unread": [path]}
"""

import io
import json
import pickletools
import sys
import zipfile
import zlib
from pathlib import Path

MAX_FILES, MAX_BYTES, MAX_MEMBERS, DEPTH = 200, 64 << 20, 2000, 3


def main(work, out):
    pickles, unread = [], []
    folder = Path(work) / "artifacts"
    files = sorted(path for path in folder.rglob("*") if path.is_file())[:MAX_FILES]
    for path in files:
        name, data = path.relative_to(work).as_posix(), path.read_bytes()
        if len(data) > MAX_BYTES:
            unread.append(name)
            continue
        look(name, data, pickles, unread, DEPTH)
    found = {"files": len(files), "pickles": pickles[:50], "unread": unread[:50]}
    (Path(out) / "inspection.json").write_text(json.dumps(found), encoding="utf-8")


def look(name, data, pickles, unread, depth):
    if is_pickle(data):
        pickles.append(name)
    squeezed = data[:2] in (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda")  # as joblib compresses
    if not squeezed and not zipfile.is_zipfile(io.BytesIO(data)):
        return
    if not depth:
        unread.append(name)
        return
    try:
        if squeezed:
            look(name, zlib.decompressobj(47).decompress(data, MAX_BYTES), pickles, unread, depth - 1)
            return
        with zipfile.ZipFile(io.BytesIO(data)) as box:
            members = box.infolist()
            if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_BYTES:
                raise ValueError("too large")
            for member in members:
                look(f"{name}/{member.filename}", box.read(member), pickles, unread, depth - 1)
    except Exception:
        unread.append(name)


def is_pickle(data):
    """Whether the bytes are opcodes from their beginning on, or a NumPy file whose array is one."""
    if data.startswith(b"\x93NUMPY"):
        return b"|O" in data[:256]
    read, end = 0, None
    try:
        for opcode, _, position in pickletools.genops(io.BytesIO(data)):
            read += 1
            if opcode.name == "STOP":
                end = position + 1
    except Exception:
        # A stream that breaks off has run as far as it is whole. Chance makes a few opcodes, not many.
        return data.startswith(b"\x80") and read > 5
    # Protocols 0 and 1 have no mark of their own: there, only a file that is one pickle to its end counts.
    return end is not None and end > 2 and (data.startswith(b"\x80") or not data[end:].strip())


main(*sys.argv[1:])
