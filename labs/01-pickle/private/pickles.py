"""Pickle files written opcode by opcode. Nothing here imports pickle, and no file does more than touch a canary.

`python labs/01-pickle/make_data.py` uses it for the practice files, `inputs.py` beside it for the hidden ones.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from random import Random

STOP, REDUCE, BUILD, TUPLE1, TUPLE2 = b".", b"R", b"b", b"\x85", b"\x86"
MARK, TUPLE, POP, MEMOIZE, STACK_GLOBAL = b"(", b"t", b"0", b"\x94", b"\x93"
EMPTY_DICT, SETITEMS, EMPTY_LIST, APPENDS, NONE, FALSE, TRUE = b"}", b"u", b"]", b"e", b"N", b"\x89", b"\x88"
PERSISTENT = b"Q"

# What a hostile file calls: (module, name, its arguments as texts); {canary} is all that it would touch.
CALLS = (
    ("posix", "system", ("touch {canary}",)),
    ("builtins", "eval", ("open('{canary}', 'w').close()",)),
    ("builtins", "exec", ("open('{canary}', 'w').close()",)),
    ("builtins", "open", ("{canary}", "w")),
    ("subprocess", "getoutput", ("touch {canary}",)),
    ("shutil", "copyfile", ("/dev/null", "{canary}")),
)
PAGER = ("pydoc", "pipepager", ("", "touch {canary}"))
Call = tuple[str, str, tuple[str, ...]]


def proto(version: int) -> bytes:
    return bytes([0x80, version])


def text(value: str) -> bytes:
    """BINUNICODE, or its short form where it fits, as protocol 4 writes it."""
    data = value.encode()
    return b"\x8c" + bytes([len(data)]) + data if len(data) < 256 else b"X" + struct.pack("<I", len(data)) + data


def long_text(value: str) -> bytes:
    """BINUNICODE, which protocol 2 knows already."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def quoted(value: str) -> bytes:
    """STRING: a quoted line, as protocol 0 writes it."""
    return b"S" + repr(value).encode() + b"\n"


def integer(value: int) -> bytes:
    """BININT of four bytes."""
    return b"J" + struct.pack("<i", value)


def real(value: float) -> bytes:
    return b"G" + struct.pack(">d", value)


def raw(value: bytes) -> bytes:
    """SHORT_BINBYTES or BINBYTES."""
    return (b"C" + bytes([len(value)]) if len(value) < 256 else b"B" + struct.pack("<I", len(value))) + value


def old_global(module: str, name: str) -> bytes:
    """GLOBAL: module and name are in the opcode itself."""
    return f"c{module}\n{name}\n".encode()


def new_global(module: str, name: str) -> bytes:
    """STACK_GLOBAL: module and name are two texts on the stack."""
    return text(module) + text(name) + STACK_GLOBAL


def archive(members: Mapping[str, bytes]) -> bytes:
    """A zip as torch.save writes it: stored, a folder on top, no clock."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as box:
        for name, data in members.items():
            box.writestr(zipfile.ZipInfo(f"archive/{name}"), data)
    return file.getvalue()


# --- hostile ---------------------------------------------------------------------------------------


def filled(call: Call, canary: str) -> Call:
    module, name, arguments = call
    return module, name, tuple(argument.format(canary=canary) for argument in arguments)


def direct(chance: Random, call: Call) -> bytes:
    """The classic: GLOBAL, arguments, REDUCE."""
    module, name, arguments = call
    called = old_global(module, name) + MARK + b"".join(map(quoted, arguments)) + TUPLE + REDUCE
    return (proto(2) if chance.random() < 0.5 else b"") + called + STOP


def instance(chance: Random, call: Call) -> bytes:
    """INST: the oldest way to import and call, in one opcode."""
    module, name, arguments = call
    return MARK + b"".join(map(quoted, arguments)) + f"i{module}\n{name}\n".encode() + STOP


def stack_global(chance: Random, call: Call) -> bytes:
    """Protocol 4, where module and name are ordinary texts."""
    module, name, arguments = call
    called = new_global(module, name) + MARK + b"".join(map(text, arguments)) + TUPLE + REDUCE
    return proto(4) + called + STOP


def memoised(chance: Random, call: Call) -> bytes:
    """Module and name lie in the memo among harmless words, and are fetched from there."""
    module, name, arguments = call
    words = ["weights", "labels", "epoch", "digits", module, name]
    chance.shuffle(words)
    kept = b"".join(text(word) + MEMOIZE + POP for word in words)
    fetched = b"".join(b"h" + bytes([words.index(word)]) for word in (module, name))
    return proto(4) + kept + fetched + STACK_GLOBAL + MARK + b"".join(map(text, arguments)) + TUPLE + REDUCE + STOP


def hidden_in_dict(chance: Random, call: Call) -> bytes:
    """A dictionary of weights with one value too many."""
    module, name, arguments = call
    called = new_global(module, name) + MARK + b"".join(map(text, arguments)) + TUPLE + REDUCE
    pairs = text("weights") + numbers(chance) + text("on_load") + called
    return proto(4) + EMPTY_DICT + MARK + pairs + SETITEMS + STOP


def in_archive(chance: Random, call: Call) -> bytes:
    """The pickle inside the zip that a .pt file is."""
    inner = chance.choice((direct, stack_global))(chance, call)
    return archive({"data.pkl": inner, "data/0": chance.randbytes(256), "version": b"3\n"})


# --- benign ----------------------------------------------------------------------------------------


def numbers(chance: Random) -> bytes:
    return EMPTY_LIST + MARK + b"".join(real(chance.gauss(0, 1)) for _ in range(chance.randint(8, 40))) + APPENDS


def plain(chance: Random) -> bytes:
    """Data only. One of the texts speaks of the very thing: a scanner that greps sounds the alarm."""
    words = chance.choice(("never call os.system here", "posix\nsystem", "see pydoc.pipepager", "builtins eval"))
    pairs = text("remark") + text(words) + text("bias") + numbers(chance)
    pairs += text("epochs") + integer(chance.randint(1, 99))
    return proto(chance.choice((4, 5))) + EMPTY_DICT + MEMOIZE + MARK + pairs + SETITEMS + STOP


def ordered(chance: Random) -> bytes:
    """An OrderedDict: it imports a class, and the class is harmless."""
    old = chance.random() < 0.5
    name = old_global("collections", "OrderedDict") if old else new_global("collections", "OrderedDict")
    key = long_text("hidden.bias") if old else text("hidden.bias")
    return proto(2 if old else 4) + name + b")" + REDUCE + MARK + key + numbers(chance) + SETITEMS + STOP


def array(chance: Random) -> bytes:
    """A NumPy vector of float32, as protocol 4 writes it under NumPy 2."""
    length = chance.randint(4, 60)
    values = struct.pack(f"<{length}f", *(chance.gauss(0, 1) for _ in range(length)))
    empty = new_global("numpy._core.multiarray", "_reconstruct") + new_global("numpy", "ndarray")
    empty += integer(0) + TUPLE1 + raw(b"b") + b"\x87" + REDUCE
    kind = new_global("numpy", "dtype") + text("f4") + FALSE + TRUE + b"\x87" + REDUCE
    kind += MARK + integer(3) + text("<") + NONE + NONE + NONE + integer(-1) + integer(-1) + integer(0) + TUPLE + BUILD
    state = MARK + integer(1) + integer(length) + TUPLE1 + kind + FALSE + raw(values) + TUPLE
    return proto(4) + empty + state + BUILD + STOP


def state_dict(chance: Random) -> bytes:
    """A PyTorch state_dict: a zip whose pickle rebuilds tensors over storages that lie beside it."""
    width = chance.randint(4, 32)
    storage = MARK + long_text("storage") + old_global("torch", "FloatStorage") + long_text("0") + long_text("cpu")
    storage += integer(width) + TUPLE + PERSISTENT
    extras = FALSE + old_global("collections", "OrderedDict") + b")" + REDUCE
    tensor = old_global("torch._utils", "_rebuild_tensor_v2") + MARK + storage + integer(0)
    tensor += integer(width) + TUPLE1 + integer(1) + TUPLE1 + extras + TUPLE + REDUCE
    table = old_global("collections", "OrderedDict") + b")" + REDUCE
    table += MARK + long_text("hidden.bias") + tensor + SETITEMS
    values = struct.pack(f"<{width}f", *(chance.gauss(0, 1) for _ in range(width)))
    members = {"data.pkl": proto(2) + table + STOP, "byteorder": b"little", "data/0": values, "version": b"3\n"}
    return archive(members)
