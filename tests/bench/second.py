"""A container engine of our own beside the machine's: it may be killed, and nobody else's images are in it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.engines.docker import connect
from grader.images.recipe import recipe_tag
from tests.bench.common import ROOT, SOLUTION

if TYPE_CHECKING:
    from docker import APIClient

READY_SECONDS = 60.0
# Whatever it does not have, it must not look for far away: an answer comes at once, and no name leaves the machine.
NOWHERE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:1")


class Second:
    """One `dockerd` with its own data, socket and containers; no bridge, no firewall rules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; after a kill, on what it left."""
        (self.folder / "pid").unlink(missing_ok=True)
        command = ["dockerd", "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec"]
        command += ["--pidfile", f"{self.folder}/pid", "--host", self.url, "--bridge=none", "--iptables=false"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--ip-forward=false"], stdout=log, stderr=log, env={**os.environ, **NOWHERE}
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self.answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.1)

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:  # docker-py forgets a socket that does not connect
            if probe.connect_ex(f"{self.folder}/sock"):
                return False
        with suppress(Exception), closing(self.api(timeout=5)) as api:
            return bool(api.ping())
        return False

    def api(self, timeout: int = 60) -> APIClient:
        from docker import APIClient

        return APIClient(base_url=self.url, version="1.41", timeout=timeout)

    def kill(self) -> None:
        """kill -9 for it and the runtime that it keeps; its containers are left running."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._end_runtime(signal.SIGKILL)

    def _end_runtime(self, number: signal.Signals) -> None:
        """Signal the runtime that it keeps; one that is dead but not yet buried would pass for a living one later."""
        record = self.folder / "exec/containerd/containerd.pid"
        with suppress(OSError, ValueError):
            pid = int(record.read_text())
            if str(self.folder) in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, number)
        record.unlink(missing_ok=True)

    def stop(self) -> None:
        """End it with everything that runs in it; unmount what it mounted."""
        if self._process is not None and self._process.poll() is not None:
            with suppress(RuntimeError):
                self.start()  # its containers outlived it: only an engine ends them
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        self._end_runtime(signal.SIGTERM)
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in reversed([place for place in mounted if place.startswith(f"{self.folder}/")]):
            subprocess.run(["umount", "--lazy", place], check=False)

    def load_ours(self) -> None:
        """The course base, the driver and the yardstick, as the machine's engine has them."""
        engine = connect()
        tags = [recipe_tag()]
        for prefix in ("grader/driver:", "grader/yardstick:"):
            tags += [tag for tag, _ in engine.images.list(prefix)]
        engine.close()
        saved = subprocess.Popen(["docker", "save", *tags], stdout=subprocess.PIPE)
        loading = ["docker", "--host", self.url, "load", "--quiet"]
        subprocess.run(loading, stdin=saved.stdout, stdout=subprocess.DEVNULL, check=True)
        if saved.wait():
            raise RuntimeError("the machine's engine has no course base: make setup")
        home = self.folder / "home"
        home.mkdir()
        for name in ("labs", "docker", "pyproject.toml"):
            (home / name).symlink_to(ROOT / name)

    def command(self, runs: Path, cold: bool = False) -> dict[str, Any]:
        """How to start `grader run` on the solution with this engine: arguments of `Popen`."""
        start = [sys.executable, "-c", "from grader.cli import main; main()"]
        start += ["run", "05", str(SOLUTION), "--fresh", "--format", "json", "--lang", "en"]
        # A home of its own: the record of cached layers speaks of one engine only.
        environ = {"DOCKER_HOST": self.url, "GRADER_HOME": str(self.folder / "home"), "GRADER_RUNS": str(runs)}
        return {"args": [*start, *(["--no-cache"] if cold else [])], "cwd": ROOT, "env": {**os.environ, **environ}}


def possible() -> bool:
    return os.geteuid() == 0 and shutil.which("dockerd") is not None


@contextmanager
def second_engine() -> Iterator[Second]:
    """A started second engine, gone with all it held at the end. Takes root."""
    if not possible():
        raise SystemExit("A second engine takes root and dockerd.")
    folder = Path(tempfile.mkdtemp(prefix="second-", dir="/tmp"))  # a socket's path has room for 107 bytes
    engine = Second(folder)
    try:
        engine.start()
        yield engine
    finally:
        engine.stop()
        shutil.rmtree(folder, ignore_errors=True)
