"""Generated Dockerfiles: the images that a real engine uses for them are those that the policy saw.

The engine, one of our own, gets the student's bytes. Files with inline texts, which its classic builder cannot read,
are compared in the form that is really built.
"""

from __future__ import annotations

import http.server
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.blocks import added, in_blocks, listed, trials
from tests.bench.common import Results, Row, table
from tests.bench.second import second_engine
from tests.fuzz.sources import URL, Engine, trial

PARTS = ("grader/dockerfile", "tests/fuzz/dockerfiles.py", "tests/fuzz/sources.py", "tests/bench/second.py")
BLOCK = 50


class Says(http.server.BaseHTTPRequestHandler):
    """Answers to ADD, so that a file fetched by the engine says where it comes from."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(URL)))
        self.end_headers()
        self.wfile.write(URL.encode())

    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class Stand:
    engine: Engine
    url: str
    folder: Path


@contextmanager
def stand() -> Iterator[Stand]:
    """An engine with the images, a server for ADD, a folder for the files."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Says)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with second_engine() as second, tempfile.TemporaryDirectory(prefix="fuzz-dockerfiles-") as folder:
        api = second.api()
        yield Stand(Engine.prepared(api), f"http://127.0.0.1:{server.server_port}/who", Path(folder))
        api.close()
    server.shutdown()
    server.server_close()


def compare(place: Stand, first: int, count: int) -> Row:
    """One block of files."""
    rows = [trial(place.engine, number, place.url, place.folder) for number in range(first, first + count)]
    place.engine.tidy()
    unread = [row for row in rows if row["compared"].startswith("built, though")]
    return {
        "verdicts": Counter(row["verdict"] for row in rows), "compared": Counter(row["compared"] for row in rows),
        "seconds": round(sum(row["seconds"] for row in rows), 1),
        "differences": sum(bool(row["faults"]) for row in rows),
        "unread": [[row["number"], row["verdict"]] for row in unread],
        "faulty": [[row["number"], row["verdict"], row["faults"]] for row in rows if row["faults"]],
    }  # fmt: skip


def report(rows: list[Row]) -> str:
    count, seconds = sum(row["count"] for row in rows), round(sum(row["seconds"] for row in rows))
    differences = sum(row["differences"] for row in rows)
    compared = table(["compared", "files"], added(rows, "compared").most_common())
    verdicts = table(["verdict", "files"], added(rows, "verdicts").most_common())
    faulty = "".join(f"\n- {entry}" for entry in listed(rows, "faulty"))
    unread = "".join(f"\n- built by the engine, not read by us: {entry}" for entry in listed(rows, "unread"))
    return f"{count} files, {differences} differences, {seconds} s.\n\n{compared}\n\n{verdicts}\n{faulty}{unread}"


def main() -> None:
    """Try what is missing, then print the tables."""
    count = trials(__doc__, 2000)
    results = Results("fuzz_dockerfiles", PARTS)
    with ExitStack() as at_the_end:
        started: list[Stand] = []

        def measure(first: int, length: int) -> Row:
            if not started:
                started.append(at_the_end.enter_context(stand()))
            return compare(started[0], first, length)

        rows = in_blocks(results, count, BLOCK, measure)
    results.publish("Dockerfiles: what the policy saw and what an engine used", report(rows))


if __name__ == "__main__":
    main()
