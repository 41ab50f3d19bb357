"""Which fields of ONNX's messages are messages themselves: all of them must be readable, also those that we ignore.

A loader reads every field. A file whose ignored parts are broken would be taken here and refused there.
"""

from __future__ import annotations

from grader.artifacts.refused import Refused
from grader.artifacts.wire import Reader, Span

DEPTH = 100  # where Protocol Buffers' own readers stop
_MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "opset", 14: "entry", 20: "training", 25: "function", 26: "device"},
    "graph": {
        1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value", 14: "annotation", 15: "sparse", 16: "entry",
    },
    "node": {5: "attribute", 9: "entry", 10: "placement"},
    "attribute": {
        5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 14: "type", 15: "type", 22: "sparse", 23: "sparse",
    },
    "function": {7: "node", 9: "opset", 11: "attribute", 12: "value", 14: "entry"},
    "training": {1: "graph", 2: "graph", 3: "entry", 4: "entry"},
    "tensor": {3: "segment", 13: "entry", 16: "entry"},
    "sparse": {1: "tensor", 2: "tensor"},
    "annotation": {2: "entry"},
    "value": {2: "type", 4: "entry"},
    "type": {1: "tensor type", 4: "sequence", 5: "map", 7: "opaque", 8: "tensor type", 9: "sequence"},
    "tensor type": {2: "shape"},
    "sequence": {1: "type"},
    "map": {2: "type"},
    "shape": {1: "dimension"},
    "placement": {2: "sharding"},
    "sharding": {3: "entry", 4: "sharded"},
    "sharded": {2: "simple"},
}  # fmt: skip


def check(reader: Reader, span: Span, kind: str = "model", depth: int = 1) -> None:
    """Raise `Refused` where the message at `span`, or one inside it, is none."""
    if depth > DEPTH:
        raise Refused("depth", limit=DEPTH)
    message = reader.message(span)
    for field, inner in _MESSAGES.get(kind, {}).items():
        for value in message.values(field):
            if isinstance(value, Span):
                check(reader, value, inner, depth + 1)
