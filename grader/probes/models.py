"""The models that the grader brings, and the padding that makes a reload visible."""

from __future__ import annotations

import shutil
from pathlib import Path

MIB = 1024 * 1024
CHUNK = bytes(MIB)
FLOAT = 1


def varint(number: int) -> bytes:
    """A protobuf varint (protobuf encoding documentation, "Base 128 Varints")."""
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, payload_size: int) -> bytes:
    """The header of a length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(payload_size)


def padding_header(size: int) -> bytes:
    """What goes before `size` raw bytes so that they become one more, unused initializer of the graph.

    Concatenated protobuf messages merge, so ModelProto.graph (7) > initializer (5) > TensorProto with dims (1),
    data_type (2), name (8) and raw_data (9) can simply be appended to a model file.
    """
    tensor = varint(1 << 3) + varint(size // 4) + varint(2 << 3) + varint(FLOAT) + field(8, 3) + b"pad" + field(9, size)
    graph = field(5, len(tensor) + size) + tensor
    return field(7, len(graph) + size) + graph


def place_model(source: Path, folder: Path, pad_mib: int) -> Path:
    """`folder`/model.onnx, readable by every uid: a copy of `source`, grown by `pad_mib` MiB of unused weights."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    target = folder / "model.onnx"
    shutil.copyfile(source, target)
    if pad_mib:
        with target.open("ab") as file:
            file.write(padding_header(pad_mib * MIB))
            for _ in range(pad_mib):
                file.write(CHUNK)
    target.chmod(0o644)
    return target
