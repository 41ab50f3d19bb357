"""The surroundings of one run of a case: everything that a hostile submission could take, touch or call.

Each thing holds a token that nobody else knows. Whoever shows one has been where it must not get to.
"""

from __future__ import annotations

import io
import secrets
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.images import BASE_TAG

if TYPE_CHECKING:
    from docker import APIClient

HERE = Path(__file__).resolve().parent
LABS = {letter: HERE / f"lab-{letter.lower()}" for letter in "HN"}
REFERENCE = LABS["H"] / "reference"
BASE = "python:3.11-slim"  # the grader builds it on the course base, which holds Python, sh and perl
TOKENS = ("image", "url", "host", "label")


@dataclass
class Place:
    """A folder of its own, the parameters of the generator, and what happened to the things that must be left alone."""

    home: Path
    tokens: dict[str, str]
    params: dict[str, str]
    labs: dict[str, Path]
    hits: list[str]
    touched: Callable[[], list[str]]  # all events on the canary's folder so far, and what has become of it

    @property
    def environment(self) -> dict[str, str]:
        return {"CORPUS_LABELS": self.tokens["label"]}


@contextmanager
def place(api: APIClient) -> Iterator[Place]:
    """The surroundings, with fresh tokens; all of it is gone afterwards."""
    tokens = {name: secrets.token_hex(16) for name in TOKENS}
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="corpus-", ignore_cleanup_errors=True)))
        canary = home / "canary" / "notes.txt"
        canary.parent.mkdir()
        canary.write_text(tokens["host"])
        hits: list[str] = []
        url = stack.enter_context(listening(addresses(api), tokens["url"], hits))
        bad = stack.enter_context(foreign_image(api, tokens["image"]))
        params = {"BASE": BASE, "BASE_WEB": BASE, "BADBASE": bad, "CANARY_URL": url, "HOST_CANARY": str(canary)}
        labs = {letter: planted_lab(lab, home / "labs", tokens["label"]) for letter, lab in LABS.items()}
        touched = stack.enter_context(watched(canary, tokens["host"]))
        yield Place(home, tokens, params, labs, hits, touched)


def planted_lab(source: Path, folder: Path, token: str) -> Path:
    """A copy of the lab with the token in its sources."""
    lab = Path(shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("reference", "__pycache__")))
    for path in (*lab.rglob("*.toml"), *lab.rglob("*.py")):
        with path.open("a") as file:
            file.write(f"\n# {token}\n")
    return lab


def addresses(api: APIClient) -> list[str]:
    """The host's loopback, and its address on each bridge of the engine."""
    found = ["127.0.0.1"]
    for network in api.networks():
        rows = (network.get("IPAM") or {}).get("Config") or ()
        found += [row["Gateway"] for row in rows if network.get("Driver") == "bridge" and row.get("Gateway")]
    return found


@contextmanager
def listening(hosts: list[str], token: str, hits: list[str]) -> Iterator[str]:
    """A server on every address; whoever connects is written down. The URL on the first one."""

    class Server(ThreadingHTTPServer):
        def get_request(self) -> tuple[Any, Any]:
            connection, peer = super().get_request()
            hits.append(f"{peer[0]} called {self.server_address[0]}")
            return connection, peer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(token.encode())

        def log_message(self, *args: object) -> None:
            pass

    servers = [Server((hosts[0], 0), Handler)]
    port = servers[0].server_address[1]
    for host in hosts[1:]:
        try:
            servers.append(Server((host, port), Handler))
        except OSError:  # an address that this machine does not have
            continue
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    yield f"http://{hosts[0]}:{port}/note"
    for server in servers:
        server.shutdown()
        server.server_close()


@contextmanager
def foreign_image(api: APIClient, token: str) -> Iterator[str]:
    """An image on this engine that no submission may use; its name tells nothing of what it holds."""
    tag = f"corpus-bad:{secrets.token_hex(8)}"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, data in (("Dockerfile", f"FROM {BASE_TAG}\nCOPY secret.txt /secret.txt\n"), ("secret.txt", token)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data.encode()))
    context.seek(0)
    said = list(api.build(fileobj=context, custom_context=True, tag=tag, rm=True, decode=True))
    if not api.images(name=tag):
        raise RuntimeError(f"the foreign image could not be made: {said[-1:]}")
    try:
        yield tag
    finally:
        api.remove_image(tag)


@contextmanager
def watched(canary: Path, token: str) -> Iterator[Callable[[], list[str]]]:
    """Tells, once, every event on the canary's folder: an open, a change, a new neighbour."""
    from inotify_simple import INotify, flags

    wanted = flags.OPEN | flags.MODIFY | flags.ATTRIB | flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO
    with INotify() as watch:
        watch.add_watch(canary.parent, wanted)

        def touched() -> list[str]:
            events = watch.read(timeout=0)
            found = [f"{event.name} {[flag.name for flag in flags.from_mask(event.mask)]}" for event in events]
            neighbours = sorted(path.name for path in canary.parent.iterdir())
            if neighbours != [canary.name] or canary.read_text() != token:
                found.append(f"changed: {neighbours}")
            return found

        yield touched
