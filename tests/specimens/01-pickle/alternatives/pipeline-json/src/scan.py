"""python src/scan.py FILE...: one JSON object a line, {"file": name, "verdict": "safe" | "unsafe", "why": text}.

It reads the files and loads none of them: opcodes.py finds what a pickle would import, policy.py says what it may.
"""

import json
import sys
import zipfile
from pathlib import Path

from opcodes import names_in
from policy import why_unsafe


def streams(path):
    """The bytes of each pickle in a file: the file itself, or every .pkl inside where it is a zip (a .pt is one)."""
    if not zipfile.is_zipfile(path):
        return [path.read_bytes()]
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name) for name in archive.namelist() if name.endswith(".pkl")]


def judged(path):
    """The reason why a file is unsafe; an empty text when it is safe."""
    for stream in streams(path):
        reason = why_unsafe(names_in(stream))
        if reason:
            return reason
    return ""


def main(names):
    for name in names:
        try:
            reason = judged(Path(name))
        except Exception as error:  # what cannot be read is not safe, and must not stop the others
            reason = f"unreadable: {type(error).__name__}"
        verdict = "unsafe" if reason else "safe"
        print(json.dumps({"file": Path(name).name, "verdict": verdict, "why": reason or "only known names"}))


if __name__ == "__main__":
    main(sys.argv[1:])
