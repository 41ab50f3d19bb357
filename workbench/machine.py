"""What a measurement should say of its machine: processors, threads, instructions. Nothing here fails."""

from __future__ import annotations

import functools
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_ENVIRONMENT = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# What decides how fast a network runs; the other hundred flags say nothing here.
_TELLING = ("sse4", "avx", "fma", "f16c", "amx", "asimd", "neon", "sve", "i8mm", "bf16", "fphp")
_HEADLINE = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm")


def threads(contenders: Mapping[str, Callable[[], object]]) -> dict[str, Any]:
    """Numbers of threads: `cpus` that this process may use, `torch`, `onnxruntime` by contender, `env`.

    For a contender's session, 0 means one thread a core, and None that no session was found in it.
    """
    found: dict[str, Any] = {"cpus": _cpus()}
    torch = sys.modules.get("torch")
    with suppress(Exception):
        if torch is not None:
            found["torch"] = int(torch.get_num_threads())
    if "onnxruntime" in sys.modules:
        found["onnxruntime"] = {name: _session_threads(contender) for name, contender in contenders.items()}
    found["env"] = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return found


def flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """The instruction sets of the processor that bear on speed, sorted; empty where the system does not list them."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip().lower() in ("flags", "features"):
            return sorted({flag for flag in value.split() if flag.startswith(_TELLING)})
    return []


def headline(found: Iterable[str]) -> str:
    """Those of `flags` that one line has room for: what decides between int8 and float32."""
    return ", ".join(flag for flag in found if flag in _HEADLINE)


def machine() -> str:
    """The kind of processor, as `x86_64` or `arm64`."""
    return platform.machine() or "?"


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _session_threads(contender: Callable[[], object]) -> int | None:
    for value in _reached(contender, depth=3):
        with suppress(Exception):  # an object of the student's may answer anything
            if hasattr(value, "get_session_options") and not isinstance(value, type):
                return int(value.get_session_options().intra_op_num_threads)
    return None


def _reached(value: Any, depth: int) -> Iterator[Any]:
    """The value, and what a call of it would use: object of a method, closure, defaults, globals by name."""
    yield value
    if depth == 0:
        return
    if isinstance(value, functools.partial):
        inner = [value.func, *value.args, *value.keywords.values()]
    elif hasattr(value, "__self__") and hasattr(value, "__func__"):
        inner = [value.__self__, value.__func__]
    elif hasattr(value, "__code__"):
        closed = []
        for cell in value.__closure__ or ():
            with suppress(ValueError):  # not filled yet
                closed.append(cell.cell_contents)
        names = [value.__globals__[name] for name in value.__code__.co_names if name in value.__globals__]
        inner = [*closed, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values(), *names]
    else:
        return
    for one in inner:
        yield from _reached(one, depth - 1)
