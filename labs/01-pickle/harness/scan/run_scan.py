"""Runs src/scan.py on the files of a folder and writes down what it printed and what it unpickled.

python run_scan.py WORK DATA OUT -> OUT/scan.json {"exit": int | null, "lines": [text], "found": [text], "error": text}
"""

import json
import os
import subprocess
import sys
from pathlib import Path

SECONDS, TEXT, LINES = 30, 64 * 1024, 100


def main(work, data, out):
    program = Path(work) / "src" / "scan.py"
    if not program.is_file():
        write(out, exit=None, lines=[], found=[], error="missing")
        return
    files = sorted(str(path) for path in Path(data).iterdir())
    # The watcher tells over a pipe of its own: what has been told cannot be taken back by the program it watches.
    told, tells = os.pipe()
    os.set_blocking(tells, False)  # a flood of names must not hold the program up
    watcher = str(Path(__file__).with_name("watched.py"))
    with open(Path(out) / ".stdout", "wb+") as stdout, open(Path(out) / ".stderr", "wb+") as stderr:
        command = [sys.executable, "-I", "-B", watcher, str(tells), str(program), *files]
        try:
            # The working folder is where a canary would appear.
            ended = subprocess.run(
                command,
                cwd=out,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(tells,),
                timeout=SECONDS,
            ).returncode
        except subprocess.TimeoutExpired:
            ended = None
        os.close(tells)
        printed, complaint = start_of(stdout), start_of(stderr, end=True)
    os.set_blocking(told, False)
    events = read(told).decode("utf-8", "replace").splitlines()[:LINES]
    last = complaint.strip().splitlines()[-1:] or [""]
    write(out, exit=ended, lines=printed.splitlines()[:LINES], found=events, error=last[0][:300])


def start_of(file, end=False):
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - TEXT) if end else 0)
    text = file.read(TEXT).decode("utf-8", "replace")
    os.unlink(file.name)
    return text


def read(pipe):
    try:
        return os.read(pipe, TEXT)
    except BlockingIOError:
        return b""


def write(out, **facts):
    (Path(out) / "scan.json").write_text(json.dumps(facts), encoding="utf-8")


main(*sys.argv[1:])
