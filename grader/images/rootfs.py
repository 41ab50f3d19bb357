"""The root file system of the course base, made from the distribution's packages: no registry is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from grader.errors import InfraError
from grader.images.archive import EPOCH, LayerTar, layer_tar
from grader.images.recipe import BASE_FOLDER, Progress

SUITE = "bookworm"
ROOTFS_LINE = f"Debian {SUITE} with Python in /usr/local"
PACKAGES = ("python3", "python3-venv", "ca-certificates", "libgomp1", "util-linux", "adduser", "passwd")
# Proxies say how the host reaches the mirror; all else stays outside: pip and apt settings must not leak in.
KEPT_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "TMPDIR")
EXCLUDED = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")


def build_rootfs(cache: Path, progress: Progress) -> LayerTar:
    """A new rootfs.tar in the cache, with the list of its packages beside it in packages.txt."""
    require_bootstrap()
    target, part = cache / "rootfs.tar", cache / "rootfs.tar.part"
    progress(f"making a Debian {SUITE} root with Python from the distribution's packages (about a minute)")
    done = subprocess.run(
        _command(part),
        env=bootstrap_environment(cache),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    (cache / "mmdebstrap.log").write_text(done.stderr)
    if done.returncode != 0:
        part.unlink(missing_ok=True)
        raise InfraError("bootstrap_failed", log=str(cache / "mmdebstrap.log"), detail=_last_line(done.stderr))
    part.replace(target)
    return layer_tar(target, ROOTFS_LINE)


def require_bootstrap() -> None:
    """Raises the one command to type where this user or machine cannot make the root."""
    if os.geteuid() != 0:
        raise InfraError("base_missing", command=f"sudo {Path(sys.executable).with_name('grader')} images build")
    if shutil.which("mmdebstrap") is None:
        raise InfraError("bootstrap_missing", command="apt-get install mmdebstrap")


def _command(target: Path) -> list[str]:
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
    command += ["--dpkgopt=path-include=/usr/share/doc/*/copyright", "--skip=output/dev"]
    return [*command, f"--customize-hook={BASE_FOLDER / 'customize.sh'}", "--format=tar", SUITE, str(target)]


def bootstrap_environment(cache: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    ours = {"SOURCE_DATE_EPOCH": str(EPOCH), "WHEELHOUSE": str(cache / "wheelhouse"), "LANG": "C.UTF-8"}
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "PACKAGES": str(cache / "packages.txt")}
    return kept | ours | path


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
