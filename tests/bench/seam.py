"""The engine seam on tape: a recorder round an engine, and a replay of exactly the calls that it heard.

Beside the calls, the tape holds the real waits between them (`time.sleep`). Containers, volumes and tags get new names
in a replay; all other arguments stay. Measuring (turns, spread requests) is done on both sides and its time left out.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, SupportsIndex

from grader.engines.base import Engine

PARTS = ("builder", "runner", "images", "host")
MAKERS = ("start", "attach", "watch")
MEASURING = ("turns", "spread")
TOKEN = re.compile(r"grader-([0-9a-f]{12})-")


@dataclass(frozen=True)
class Made:
    """What call number `number` returned."""

    number: int


@dataclass
class Call:
    """One call at the seam, or a wait. `said` is the command behind a line to or from the driver."""

    thread: int
    target: str | Made
    method: str
    arguments: tuple[Any, ...]
    start: float = 0.0
    end: float = 0.0
    result: Any = None
    said: str = ""


@dataclass
class Tape:
    """All calls of one run in the order of their beginning. With `keep`, files that they name are copied there."""

    keep: Path | None = None
    calls: list[Call] = field(default_factory=list)
    _threads: dict[int, int] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)
    _kept: dict[str, Path] = field(default_factory=dict)
    _inside: threading.local = field(default_factory=threading.local)
    _said: str = ""

    @property
    def measuring(self) -> float:
        """Seconds spent in measuring."""
        return sum(call.end - call.start for call in self.calls if call.said in MEASURING)

    @contextmanager
    def waits(self) -> Iterator[None]:
        """Record what sleeps outside of calls."""
        sleep = time.sleep

        def wait(seconds: SupportsIndex | float) -> None:
            if getattr(self._inside, "call", False):
                sleep(seconds)
            else:
                self.do("time", "sleep", sleep, (seconds,))

        time.sleep = wait
        try:
            yield
        finally:
            time.sleep = sleep

    def do(self, target: str | Made, method: str, real: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Carry out one call and write it down."""
        with self._lock:
            thread = self._threads.setdefault(threading.get_ident(), len(self._threads))
            written = tuple(self._written(method, value) for value in arguments)
            call = Call(thread, target, method, written, said=self._command(method, arguments))
            self.calls.append(call)
            number = len(self.calls) - 1
        self._inside.call = True
        call.start = time.perf_counter()
        try:
            result = real(*(value.real if isinstance(value, Proxy) else value for value in arguments))
            if method == "layer_files":
                result = (result[0], iter(list(result[1])))
        finally:
            call.end = time.perf_counter()
            self._inside.call = False
        call.result = result
        return Proxy(self, Made(number), result) if method in MAKERS and result is not None else result

    def _command(self, method: str, arguments: tuple[Any, ...]) -> str:
        if method == "send":
            self._said = str(json.loads(arguments[0])["op"])
        return self._said if method in ("send", "receive") else ""

    def _written(self, method: str, value: Any) -> Any:
        """An argument as a replay can use it: files kept, objects by number, deadlines as seconds from now."""
        if isinstance(value, Proxy):
            return value.target
        if method == "receive":
            return value - time.monotonic()
        if isinstance(value, Path):
            return self._copy(value)
        if is_dataclass(value) and not isinstance(value, type):
            paths = {f.name: getattr(value, f.name) for f in fields(value) if isinstance(getattr(value, f.name), Path)}
            return replace(value, **{name: self._copy(path) for name, path in paths.items()})
        return value

    def _copy(self, path: Path) -> Path:
        if self.keep is None:
            return path
        if str(path) not in self._kept:
            target = self._kept[str(path)] = self.keep / str(len(self._kept))
            shutil.copytree(path, target) if path.is_dir() else shutil.copyfile(path, target)
        return self._kept[str(path)]


class Proxy:
    """An object of the seam whose calls go on tape."""

    def __init__(self, tape: Tape, target: str | Made, real: Any) -> None:
        self.tape = tape
        self.target = target
        self.real = real

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.real, name)
        if not callable(value):
            return Proxy(self.tape, name, value) if name in PARTS else value
        return lambda *arguments: self.tape.do(self.target, name, value, arguments)


class Replay:
    """One replay of a tape on an engine."""

    def __init__(self, tape: Tape, engine: Engine) -> None:
        self.tape = tape
        self.engine = engine
        self.measuring = 0.0
        self._live: dict[int, Any] = {}
        self._names: dict[str, str] = {}
        self._volumes: list[str] = []
        self._done = [threading.Event() for _ in tape.calls]
        self._errors: list[BaseException] = []
        self._sent: dict[int, bytes] = {}
        for token in {token for call in tape.calls for token in TOKEN.findall(str(call.arguments)[:4000])}:
            self._names[token] = secrets.token_hex(6)

    def run(self) -> float:
        """Seconds without the measuring."""
        threads = [
            threading.Thread(target=self._play, args=(number,)) for number in {c.thread for c in self.tape.calls}
        ]
        start = time.perf_counter()
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds = time.perf_counter() - start
        finally:
            self._clear()
        if self._errors:
            raise self._errors[0]
        return seconds - self.measuring

    def _play(self, thread: int) -> None:
        """The calls of one thread, each as soon as what it waited for is done."""
        try:
            for number, call in enumerate(self.tape.calls):
                if call.thread == thread:
                    for other in self._waited_for(number):
                        self._done[other].wait()
                    if not self._errors:
                        self._call(number, call)
                    self._done[number].set()
        except BaseException as error:
            self._errors.append(error)
            for event in self._done:
                event.set()

    def _waited_for(self, number: int) -> list[int]:
        """A thread begins after what its starter had done before; what comes after a thread's end waits for it."""
        calls, call = self.tape.calls, self.tape.calls[number]
        before = [n for n, other in enumerate(calls) if other.thread != call.thread and other.end <= call.start]
        first = next(n for n, other in enumerate(calls) if other.thread == call.thread)
        last_of = {other.thread: n for n, other in enumerate(calls)}
        return before[-1:] if number == first else [n for n in before if n == last_of[calls[n].thread]]

    def _call(self, number: int, call: Call) -> None:
        arguments = [self._renamed(value) for value in call.arguments]
        if call.method == "build":
            arguments[1] = lambda image, made: None
        elif call.method == "receive":
            arguments[0] += time.monotonic()
        elif call.method == "create_volume":
            self._volumes.append(arguments[0])
        start = time.perf_counter()
        result = getattr(self._target(call.target), call.method)(*arguments)
        if call.said == "until_ready" and call.method == "send":
            self._sent[number] = arguments[0]
        elif call.said == "until_ready":
            result = self._again(call, result)
        elif call.method == "layer_files":
            result = (result[0], list(result[1]))
        if call.said in MEASURING:
            self.measuring += time.perf_counter() - start
        self._learn(number, call, result)

    def _again(self, call: Call, result: bytes) -> bytes:
        """The service may be slower this time: ask until it is as ready as it was on tape."""
        channel, line = self._target(call.target), list(self._sent.values())[-1]
        for _ in range(40):
            if b'"status": 200' not in call.result or b'"status": 200' in result:
                break
            channel.send(line)
            result = channel.receive(time.monotonic() + 30)
        return result

    def _target(self, target: str | Made) -> Any:
        if isinstance(target, Made):
            return self._live[target.number]
        return {"time": time, "engine": self.engine}.get(target) or getattr(self.engine, target)

    def _learn(self, number: int, call: Call, result: Any) -> None:
        """The new ids of what was made."""
        if call.method in MAKERS and result is not None:
            self._live[number] = result
        if call.method == "start":
            self._names |= {call.result.id: result.id, call.result.id[:8]: result.id[:8]}
        if call.method == "build" and call.result.image != result.image:
            self._names[call.result.image] = result.image

    def _renamed(self, value: Any) -> Any:
        if isinstance(value, str):
            for old, new in list(self._names.items()):
                value = value.replace(old, new)
            return value
        if isinstance(value, bytes):
            return self._renamed(value.decode()).encode()
        if isinstance(value, tuple):
            return tuple(self._renamed(item) for item in value)
        if isinstance(value, dict):
            return {self._renamed(key): self._renamed(item) for key, item in value.items()}
        if isinstance(value, Made):
            return self._live[value.number]
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{f.name: self._renamed(getattr(value, f.name)) for f in fields(value)})
        return value

    def _clear(self) -> None:
        """Nothing stays, however the replay ended."""
        for number, call in enumerate(self.tape.calls):
            if call.method == "start" and number in self._live:
                self.engine.remove("container", self._live[number].id)
        for volume in self._volumes:
            self.engine.remove("volume", volume)
