"""Keeps the volumes of jobs alive beside the students' containers: fills them before, reads the results after.

Standard input: one command a line. Results are asked for only once the student's container is gone, when nothing can
move in them.
"""

import base64
import json
import os
import stat
import sys
from typing import Any

PIECE = 1 << 20
MOST_NAMES = 50


def main() -> None:
    """Obey until the line is closed."""
    for line in sys.stdin.buffer:
        command = json.loads(line)
        if command["op"] == "put":
            put(command["path"], base64.b64decode(command["data"]))
        elif command["op"] == "take":
            Taking(command["place"], command["names"], command["file_bytes"]).all()
        say({"ok": command["op"]})


def say(value: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(value).encode() + b"\n")
    sys.stdout.buffer.flush()


def put(path: str, data: bytes) -> None:
    """Add `data` at the end of the file `path`."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "ab") as file:
        file.write(data)


class Taking:
    """Sends the files that are asked for, and the names of all others."""

    def __init__(self, root: str, names: list[str], file_bytes: int) -> None:
        self.root = root
        self.names = names
        self.file_bytes = file_bytes

    def all(self) -> None:
        os.chmod(self.root, 0o700)
        facts = os.statvfs(self.root)
        say({"full": facts.f_bavail == 0 or facts.f_favail == 0, "others": self.others()})
        for name in self.names:
            self.one(name)

    def one(self, name: str) -> None:
        """A row about the file, and its bytes in pieces where it is what it should be."""
        try:
            handle = self.open(name)
        except Refused as refused:
            say({"problem": refused.problem, "size": refused.size})
            return
        with os.fdopen(handle, "rb") as file:
            left = os.fstat(handle).st_size
            say({"problem": None, "size": left})
            while left > 0:
                piece = file.read(min(PIECE, left))
                if not piece:
                    break
                left -= len(piece)
                say({"data": base64.b64encode(piece).decode()})
        say({"data": None})

    def open(self, name: str) -> int:
        """The file as a descriptor, by way of real folders only."""
        *folders, last = name.split("/")
        place = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for folder in folders:
                facts = look(folder, place)
                if not stat.S_ISDIR(facts.st_mode):
                    raise Refused("link" if stat.S_ISLNK(facts.st_mode) else "missing")
                os.chmod(folder, 0o700, dir_fd=place)
                inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
                os.close(place)
                place = inner
            facts = look(last, place)
            if stat.S_ISLNK(facts.st_mode):
                raise Refused("link")
            if not stat.S_ISREG(facts.st_mode):
                raise Refused("special")
            if facts.st_size > self.file_bytes:
                raise Refused("too_large", facts.st_size)
            os.chmod(last, 0o600, dir_fd=place)
            return os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
        finally:
            os.close(place)

    def others(self) -> list[str]:
        """At most 50 names that nobody asked for."""
        found: list[str] = []
        wanted = set(self.names)
        for folder, folders, files in os.walk(self.root, onerror=lambda error: None):
            for name in folders:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            for name in sorted(files + links):
                relative = os.path.relpath(os.path.join(folder, name), self.root)
                if relative not in wanted:
                    found.append(relative.encode("utf-8", "backslashreplace").decode())
                if len(found) == MOST_NAMES:
                    return found
        return found


class Refused(Exception):
    """A file that is not sent, and why."""

    def __init__(self, problem: str, size: int = 0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.size = size


def look(name: str, place: int) -> os.stat_result:
    try:
        return os.stat(name, dir_fd=place, follow_symlinks=False)
    except OSError:
        raise Refused("missing") from None


if __name__ == "__main__":
    main()
