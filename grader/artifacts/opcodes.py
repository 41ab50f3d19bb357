"""Reads pickle opcodes as data: what a stream would import is seen, nothing is looked up, built or called."""

from __future__ import annotations

import pickletools
import re
from collections.abc import Iterator
from typing import NamedTuple

OPCODES = 20_000
UNTOLD = "?"
_TABLE = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_PUTS, _GETS = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}, {"GET", "BINGET", "LONG_BINGET"}
_CALLS = {"REDUCE", "OBJ", "INST", "NEWOBJ", "NEWOBJ_EX", "BUILD"}
_LINES = {"decimalnl_short", "decimalnl_long", "floatnl", "stringnl", "stringnl_noescape", "unicodestringnl"}
_COUNTED = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1, pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4, pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}  # fmt: skip
_LINE = 4096


def _effect(opcode: pickletools.OpcodeInfo) -> tuple[tuple[int, bool], int]:
    """What an opcode takes from the stack (values, and whether a mark with all above it) and how many it leaves."""
    marked = pickletools.markobject in opcode.stack_before
    plain = [kind for kind in opcode.stack_before if kind not in (pickletools.markobject, pickletools.stackslice)]
    # OBJ's class stands above the mark and goes with it.
    return (0 if opcode.name == "OBJ" else len(plain), marked), len(opcode.stack_after)


_EFFECTS = {opcode.name: _effect(opcode) for opcode in pickletools.opcodes}


class Told(NamedTuple):
    """What a stream says until it ends or makes no sense any more."""

    imports: tuple[str, ...]
    called: bool
    stopped: bool
    opcodes: int
    end: int


class _Broken(Exception):
    """No unpickler would go on from here."""


def walk(data: bytes, start: int, budget: int = OPCODES) -> Told:
    """Follow the opcodes from `start`, with a stack on which strings are known and everything else is a blank."""
    machine = _Machine()
    count, end, stopped = 0, start, False
    try:
        for name, argument, position in _opcodes(data, start):
            machine.step(name, argument)
            count, end = count + 1, position
            stopped = name == "STOP"
            if stopped or count >= budget:
                break
    except _Broken:
        pass
    return Told(tuple(machine.imports), machine.called, stopped, count, end)


class _Machine:
    """The unpickler's stack and memo, as far as names are concerned."""

    def __init__(self) -> None:
        self.imports: list[str] = []
        self.called = False
        self._stack: list[str | None] = []
        self._marks: list[int] = []  # how high the stack was at each MARK
        self._memo: dict[int, str | None] = {}

    def step(self, name: str, argument: str | int | None) -> None:
        names = str(argument).split(" ", 1) if name in ("GLOBAL", "INST") else self._stack[-2:]
        self._apply(name, argument)
        if name in ("GLOBAL", "INST", "STACK_GLOBAL"):
            told = [each for each in names if each is not None and _NAME.fullmatch(each)]
            # A name that is odd or put together on the way is still an import, of something that cannot be told.
            self.imports.append(".".join(told) if len(told) == 2 else UNTOLD)
        self.called = self.called or name in _CALLS

    def _apply(self, name: str, argument: str | int | None) -> None:
        if name == "MARK":
            self._marks.append(len(self._stack))
        elif name in _PUTS:
            self._need(1)
            self._memo[len(self._memo) if name == "MEMOIZE" else _index(argument)] = self._stack[-1]
        elif name in _GETS:
            if _index(argument) not in self._memo:
                raise _Broken
            self._stack.append(self._memo[_index(argument)])
        elif name == "DUP":
            self._need(1)
            self._stack.append(self._stack[-1])
        elif name == "POP" and self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            before, after = _EFFECTS[name]
            self._pop(before)
            self._stack += [argument if isinstance(argument, str) else None] * after

    def _pop(self, before: tuple[int, bool]) -> None:
        below, marked = before
        if marked:
            if not self._marks:
                raise _Broken
            del self._stack[self._marks.pop() :]
        self._need(below)
        if below:
            del self._stack[-below:]

    def _need(self, count: int) -> None:
        if len(self._stack) - (self._marks[-1] if self._marks else 0) < count:
            raise _Broken


def _index(argument: str | int | None) -> int:
    return int(argument or 0)


def _opcodes(data: bytes, position: int) -> Iterator[tuple[str, str | int | None, int]]:
    while position < len(data):
        opcode = _TABLE.get(data[position])
        position += 1
        if opcode is None:
            raise _Broken
        argument: str | int | None = None
        if opcode.arg is not None:
            argument, position = _argument(data, position, opcode.arg)
        yield opcode.name, argument, position


def _argument(data: bytes, position: int, kind: pickletools.ArgumentDescriptor) -> tuple[str | int | None, int]:
    """The argument and where the next opcode stands; strings and small numbers come back, the rest as None."""
    if kind.name in _LINES or kind.name == "stringnl_noescape_pair":
        first, position = _line(data, position, kind.name)
        if kind.name != "stringnl_noescape_pair":
            return first, position
        second, position = _line(data, position, kind.name)
        return f"{first} {second}", position
    if kind.n in _COUNTED:
        width = _COUNTED[kind.n]
        size = int.from_bytes(data[position : position + width], "little")
        end = position + width + size
        if end > len(data):
            raise _Broken
        text = data[position + width : end] if "string" in kind.name or "unicode" in kind.name else None
        return text.decode("utf-8", "replace") if text is not None and size <= _LINE else None, end
    if position + kind.n > len(data):
        raise _Broken
    return int.from_bytes(data[position : position + kind.n], "little"), position + kind.n


def _line(data: bytes, position: int, kind: str) -> tuple[str, int]:
    end = data.find(b"\n", position, position + _LINE)
    if end < 0:
        raise _Broken
    text = data[position:end].decode("utf-8", "replace")
    if kind.startswith("decimal") and not re.fullmatch(r"-?[0-9]{1,1000}L?", text):
        raise _Broken
    return text.strip("'\"") if kind == "stringnl" else text, end + 1
