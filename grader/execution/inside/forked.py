"""Starts the kernel as a fork of the process that runs the notebook, so that what both need is imported only once.

A Python of its own costs a third of a second of processor time, as much as a light notebook. The kernel gets the
environment, folder, arguments, signals and process group that it would have had.
"""

import atexit
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

LAUNCHER = "ipykernel_launcher"  # the arguments of a kernel's command come after it
FLUSH_SECONDS = 2


class Forked:
    """The part of `subprocess.Popen` that jupyter_client's local provisioner uses."""

    stdin = stdout = stderr = None
    restore_imports = staticmethod(lambda: None)  # lean.py's

    def __init__(self, command: Sequence[str], env: dict[str, str], cwd: str | None = None, **_: Any) -> None:
        self.returncode: int | None = None
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            become_kernel([*command, f"--IPKernelApp.parent_handle={parent}"], env, cwd)
        with suppress(OSError):  # the kernel does the same, and one of both is first: its signals must not reach us
            os.setpgid(self.pid, self.pid)

    def poll(self) -> int | None:
        return self.returncode if self.returncode is not None else self._collect(os.WNOHANG)

    def wait(self) -> int | None:
        return self.returncode if self.returncode is not None else self._collect(0)

    def _collect(self, options: int) -> int | None:
        pid, status = os.waitpid(self.pid, options)
        if pid:
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def become_kernel(command: list[str], env: dict[str, str], cwd: str | None) -> NoReturn:
    """Turn this fork into the kernel that `command` would have started."""
    code: Any = 1
    try:
        leave_parent()
        os.environ.clear()
        os.environ.update(env)
        if cwd is not None:
            os.chdir(cwd)
        extend_path(env)
        sys.argv = command[command.index(LAUNCHER) :]
        from ipykernel.kernelapp import IPKernelApp

        kernel: Any = IPKernelApp.instance()
        kernel.initialize()
        Forked.restore_imports()
        kernel.start()
        # Its last flush needs the thread that publishes, which ends next: without it, that flush waits ten seconds.
        kernel.control_thread.join(FLUSH_SECONDS)
        code = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def leave_parent() -> None:
    """Give up what belongs to the process that runs the notebook: group, files, signals, event loop."""
    import asyncio

    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.closerange(3, 256)
    asyncio.set_event_loop(None)


def extend_path(env: dict[str, str]) -> None:
    """Modules of the notebook's folder can be imported, after Python's own; an isolated interpreter left them out."""
    sys.path[:0] = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    packages = [at for at, path in enumerate(sys.path) if path.endswith("-packages")]
    sys.path.insert(packages[0] if packages else 0, "")
