"""What is read from the engine's host: processes, CPU counters, file opens, layer contents.

Directly from /proc, /sys and the layer folders where the engine runs on this very kernel and we may
read them; else by slower ways that need nothing but the engine's API. Each answer names its way.
"""

from __future__ import annotations

import json
import os
import platform
import posixpath
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from grader.engines.base import Layer, LayerFile, Process, Sandbox, Watch
from grader.engines.trouble import engine_errors
from grader.errors import InfraError

if TYPE_CHECKING:
    from docker import APIClient

CGROUP_ROOT = Path("/sys/fs/cgroup")
SKIPPED = ("site-packages", "dist-packages")
DELETED = ".wh."
MAX_FILES = 20_000
NANO = 1_000_000_000


class DockerHost:
    def __init__(self, api: APIClient, info: dict[str, Any], direct: bool | None = None) -> None:
        self._api = api
        self._root = Path(str(info.get("DockerRootDir") or "/var/lib/docker"))
        same_kernel = info.get("KernelVersion") == platform.release() and str(api.base_url).startswith("http+docker")
        self._direct = same_kernel if direct is None else direct

    def processes(self, sandbox: Sandbox) -> tuple[str, tuple[Process, ...]]:
        """The way and every process of the sandbox, uids as the container numbers them."""
        group = self._cgroup(sandbox, "pids") if self._direct else None
        pids = cgroup_pids(group) if group is not None else []
        if not pids:
            return "top", self._top(sandbox)
        found = (read_process(pid) for pid in pids)
        return "cgroup", tuple(process for process in found if process is not None)

    def cpu_seconds(self, sandbox: Sandbox) -> tuple[str, float]:
        """The way and the CPU time that the sandbox has used so far, in seconds."""
        group = self._cgroup(sandbox, "cpuacct") if self._direct else None
        if group is not None:
            try:
                return "cgroup", cgroup_cpu(group)
            except (OSError, ValueError, KeyError):
                pass
        with engine_errors("read a container's counters"):
            stats = self._api.stats(sandbox.id, stream=False, one_shot=True)
        return "stats", int(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / NANO

    def watch(self, folder: Path, name: str) -> Watch | None:
        """A counter of opens of `folder`/`name`, None where file events do not reach us."""
        return InotifyWatch(folder, name) if self._direct else None

    def layer_files(self, image: str, layers: tuple[Layer, ...]) -> tuple[str, Iterator[LayerFile]]:
        """The way and the files of the image's own layers, those that a later layer deleted included."""
        folders = self._overlay_folders(image, len(layers)) if self._direct else None
        if folders is not None:
            return "overlay", overlay_files(folders, layers)
        return "export", exported_files(self._api, image, layers)

    def _cgroup(self, sandbox: Sandbox, controller: str) -> Path | None:
        with engine_errors("inspect a container"):
            pid = int(self._api.inspect_container(sandbox.id)["State"]["Pid"])
        try:
            table = Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            return None
        return cgroup_folder(table, controller, sandbox.id) if pid else None

    def _top(self, sandbox: Sandbox) -> tuple[Process, ...]:
        from docker.errors import APIError

        with engine_errors("list a container's processes"):
            try:
                rows = self._api.top(sandbox.id, ps_args="-eo pid,ruid,euid,suid,comm")["Processes"]
            except APIError:  # it ended in between
                return ()
        return tuple(Process(int(row[0]), row[4], (int(row[1]), int(row[2]), int(row[3]))) for row in rows)

    def _overlay_folders(self, image: str, count: int) -> list[Path] | None:
        """The layer folders, bottom first, or None where there are none that we may read."""
        with engine_errors("inspect an image"):
            driver = self._api.inspect_image(image).get("GraphDriver") or {}
        data = driver.get("Data") or {}
        if driver.get("Name") != "overlay2" or "UpperDir" not in data:
            return None
        lower = [part for part in str(data.get("LowerDir") or "").split(":") if part]
        folders = [Path(part) for part in reversed([data["UpperDir"], *lower])]
        readable = all(os.access(folder, os.R_OK | os.X_OK) for folder in folders)
        return folders if readable and len(folders) == count else None


def cgroup_folder(table: str, controller: str, container: str) -> Path | None:
    """Where /proc/PID/cgroup puts a container: the v1 controller's folder, or the v2 one."""
    for line in table.splitlines():
        _, controllers, path = line.split(":", 2)
        if container not in path:
            continue
        if controller in controllers.split(","):
            mount = next(
                (CGROUP_ROOT / name for name in (controller, controllers) if (CGROUP_ROOT / name).is_dir()), None
            )
            return mount / path.lstrip("/") if mount else None
        if controllers == "" and (CGROUP_ROOT / "cgroup.controllers").exists():
            return CGROUP_ROOT / path.lstrip("/")
    return None


def cgroup_pids(group: Path) -> list[int]:
    """The processes of a cgroup and of the groups below it."""
    files = [group / "cgroup.procs", *group.glob("**/cgroup.procs")]
    pids: set[int] = set()
    for file in files:
        try:
            pids.update(int(line) for line in file.read_text().split())
        except OSError:
            continue
    return sorted(pids)


def cgroup_cpu(group: Path) -> float:
    """CPU seconds of a cgroup, from v1's cpuacct.usage or v2's cpu.stat."""
    old = group / "cpuacct.usage"
    if old.exists():
        return int(old.read_text()) / NANO
    rows = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(rows["usage_usec"]) / 1_000_000


def read_process(pid: int) -> Process | None:
    """Name and uids of a process as its own user namespace numbers them; None when it has ended."""
    try:
        # A process names itself as it likes: any bytes but a line feed.
        text = Path(f"/proc/{pid}/status").read_bytes().decode("utf-8", "replace")
        rows = dict(line.split(":", 1) for line in text.split("\n") if ":" in line)
        mapping = [tuple(map(int, line.split())) for line in Path(f"/proc/{pid}/uid_map").read_text().splitlines()]
    except OSError:
        return None
    real, effective, saved = (inside(int(uid), mapping) for uid in rows["Uid"].split()[:3])
    return Process(pid, rows["Name"].strip(), (real, effective, saved))


def inside(uid: int, mapping: list[tuple[int, ...]]) -> int:
    """A host uid as seen inside the user namespace whose uid_map is given (65534 when unmapped)."""
    for first_inside, first_outside, count in mapping:
        if first_outside <= uid < first_outside + count:
            return first_inside + uid - first_outside
    return 65534


class InotifyWatch:
    """Opens of one file in a folder, counted exactly.

    IN_OPEN alone would merge equal neighbours while nobody reads; with IN_CLOSE_NOWRITE they alternate.
    """

    def __init__(self, folder: Path, name: str) -> None:
        from inotify_simple import INotify, flags

        self._open = flags.OPEN
        self._name = name
        try:
            self._inotify = INotify()
            try:
                self._inotify.add_watch(str(folder), flags.OPEN | flags.CLOSE_NOWRITE)
            except OSError:
                self._inotify.close()
                raise
        except OSError as error:
            raise InfraError("inotify_failed", path=str(folder), reason=error.strerror) from error

    def opens(self) -> int:
        """The opens since the last call."""
        events = self._inotify.read(timeout=0)
        return sum(event.name == self._name and bool(event.mask & self._open) for event in events)

    def close(self) -> None:
        self._inotify.close()


def overlay_files(folders: list[Path], layers: tuple[Layer, ...]) -> Iterator[LayerFile]:
    """Regular files in the folders of the own layers; links are not followed."""
    left = MAX_FILES
    for index, (folder, layer) in enumerate(zip(folders, layers, strict=True)):
        if not layer.own:
            continue
        for parent, names, files in os.walk(folder, followlinks=False):
            names[:] = sorted(name for name in names if name not in SKIPPED)
            for name in sorted(files):
                path = Path(parent, name)
                if not path.is_symlink() and path.is_file():
                    yield LayerFile(index, readable(path.relative_to(folder)), path.stat().st_size)
                    left -= 1
                    if left <= 0:
                        return


def readable(path: Path) -> str:
    """A path as text that can be written down, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", "replace")


def exported_files(api: APIClient, image: str, layers: tuple[Layer, ...]) -> Iterator[LayerFile]:
    """The same from `docker save`, streamed: layer tars in the order that the archive's manifest gives."""
    with engine_errors("export an image"):
        try:
            names, gathered = read_archive(ChunkFile(api.get_image(image)), 4 * len(layers) + 64)
        except tarfile.TarError as error:
            raise InfraError("engine_gone", doing="export an image") from error
    for index, name in enumerate(names):
        if layers[index].own:
            yield from (LayerFile(index, file.path, file.size) for file in gathered.get(name, [])[:MAX_FILES])


def read_archive(stream: Any, limit: int) -> tuple[list[str], dict[str, list[LayerFile]]]:
    """The layers' members in order, and the files of each member that is a layer.

    The manifest stands at the end of the archive, so files are gathered by member first. A layer equal to an
    earlier one is a link to it.
    """
    gathered: dict[str, list[LayerFile]] = {}
    links: dict[str, str] = {}
    names: list[str] = []
    with tarfile.open(None, "r|", stream) as outer:
        for member in outer:
            if member.issym():
                links[member.name] = posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname))
            elif member.name == "manifest.json" and (content := outer.extractfile(member)):
                names = json.loads(content.read(1 << 20))[0]["Layers"]
            elif member.name.endswith("layer.tar") or member.name.startswith("blobs/"):
                gathered[member.name] = list(tar_files(outer.extractfile(member)))
            if len(gathered) + len(links) > limit:
                raise InfraError("engine_refused", doing="export an image", answer="too many members")
    return [links.get(name, name) for name in names], gathered


def tar_files(content: Any) -> Iterator[LayerFile]:
    """Regular files of one layer's tar, marks of deletion left out; nothing where the member is no tar."""
    sizes: dict[str, int] = {}
    try:
        with tarfile.open(None, "r|*", content, encoding="utf-8", errors="replace") as layer:
            for member in layer:
                path = PurePosixPath(member.name)
                if member.isreg():
                    sizes[member.name] = member.size
                hidden = path.name.startswith(DELETED) or set(path.parts) & set(SKIPPED)
                size = sizes.get(member.name if member.isreg() else member.linkname)
                if size is not None and not hidden:
                    yield LayerFile(0, str(path), size)
    except tarfile.TarError:
        return


class ChunkFile:
    """A readable file over the chunks of a response, for tarfile's stream mode."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._rest += chunk
        found, self._rest = self._rest[:size], self._rest[size:]
        return found
