"""An ONNX file as data: what the graph says of itself, read field by field; the model is never loaded or run."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from typing import Any

from grader.artifacts.dtypes import ONNX
from grader.artifacts.refused import Refused, shown
from grader.artifacts.schema import check
from grader.artifacts.tensors import Sibling, Tensors
from grader.artifacts.wire import Message, Reader, Span

NODES = 20_000
DEPTH = 8
FIELDS = 3_000_000  # each is met twice: what is said, then what is meant
SHOWN_NODES = 5_000
SHOWN_TENSORS = 5_000
EDGES = 200_000
STANDARD = ("ai.onnx", "ai.onnx.ml")
_METADATA = 64

# ModelProto
_IR, _PRODUCER, _GRAPH, _OPSETS, _META, _TRAINING, _FUNCTIONS = 1, 2, 7, 8, 14, 20, 25
# GraphProto
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _SPARSE = 1, 5, 11, 12, 15
# NodeProto
_NODE_IN, _NODE_OUT, _OP, _ATTRIBUTE, _NODE_DOMAIN = 1, 2, 4, 5, 7
# AttributeProto
_F, _I, _S, _T, _G, _FLOATS, _INTS, _STRINGS, _TENSORS, _GRAPHS, _ONE_SPARSE, _MANY_SPARSE = (
    2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 22, 23,
)  # fmt: skip
_LISTED = 64  # numbers in an attribute from which on they count as data


class Model:
    """Walks one model file; `read` gives its `graph` section and raises `Refused` at the first broken rule."""

    def __init__(self, data: bytes, sibling: Sibling, domains: Collection[str] = STANDARD) -> None:
        self._reader = Reader(data, FIELDS)
        self._whole = Span(0, len(data))
        self._tensors = Tensors(self._reader, sibling)
        self._domains = domains
        self._own: set[tuple[str, str]] = set()
        self._nodes: list[dict[str, Any]] = []
        self._count = self._edges = 0

    @property
    def external(self) -> list[str]:
        """The files beside the model that hold its data."""
        return self._tensors.external

    def read(self) -> dict[str, Any]:
        """The graph's interface, its nodes and its tensors, those of inner graphs included."""
        check(self._reader, self._whole)
        model = self._reader.message(self._whole)
        graph_span = model.span(_GRAPH)
        if graph_span is None or not 1 <= model.number(_IR) <= 1000:
            raise Refused("format", detail="no graph")
        if model.count(_TRAINING):
            raise Refused("training")
        functions = [self._reader.message(span) for span in model.spans(_FUNCTIONS)]
        self._own = {(_domain(function.text(10)), function.text(1)) for function in functions}
        graph = self._reader.message(graph_span)
        self._graph(graph, 1, "initializer")
        for function in functions:
            self._function(function)
        known = {row["name"] for row in self._tensors.found if row["where"] == "initializer"}
        inputs = [self._value(span) for span in graph.spans(_INPUT)]
        return {
            "ir": model.number(_IR),
            "opsets": dict(self._opset(span) for span in model.spans(_OPSETS)),
            "producer": shown(model.text(_PRODUCER)),
            "metadata": dict(self._entries(model)),
            "inputs": [value for value in inputs if value["name"] not in known],
            "outputs": [self._value(span) for span in graph.spans(_OUTPUT)],
            "nodes": self._nodes,
            "node_count": self._count,
            "functions": sorted(f"{domain}.{name}" for domain, name in self._own),
            "initializers": self._tensors.found[:SHOWN_TENSORS],
            "initializer_count": len(self._tensors.found),
        }

    def _graph(self, graph: Message, depth: int, where: str) -> None:
        if depth > DEPTH:
            raise Refused("depth", limit=DEPTH)
        for span in graph.spans(_INITIALIZER):
            self._tensors.read(span, where)
        for span in graph.spans(_SPARSE):
            self._sparse(span, where)
        for span in graph.spans(_NODE):
            self._node(self._reader.message(span), depth)

    def _function(self, function: Message) -> None:
        for span in function.spans(7):
            self._node(self._reader.message(span), 2)
        for span in function.spans(11):  # default values of its attributes
            self._attribute(self._reader.message(span), "", 2)

    def _node(self, node: Message, depth: int) -> None:
        self._count += 1
        if self._count > NODES:
            raise Refused("nodes", limit=NODES)
        op, domain = node.text(_OP), _domain(node.text(_NODE_DOMAIN))
        if domain not in self._domains and (domain, op) not in self._own:
            raise Refused("domain", domain=shown(domain), op=shown(op))
        self._edges += node.count(_NODE_IN) + node.count(_NODE_OUT)
        if self._edges > EDGES:
            raise Refused("nodes", limit=EDGES)
        inputs, outputs = node.texts(_NODE_IN), node.texts(_NODE_OUT)
        attributes: dict[str, str | int | float] = {}
        row = {"op": op, "domain": domain, "inputs": inputs, "outputs": outputs, "attributes": attributes,
               "depth": depth}  # fmt: skip
        if len(self._nodes) < SHOWN_NODES:
            self._nodes.append(row)
        made = outputs[0] if outputs else ""
        for span in node.spans(_ATTRIBUTE):
            attribute = self._reader.message(span)
            self._attribute(attribute, made, depth)
            value = self._plain(attribute)
            if value is not None and len(attributes) < 16:
                attributes[attribute.text(1)] = value

    def _attribute(self, attribute: Message, made: str, depth: int) -> None:
        """What an attribute brings along: tensors, and whole graphs."""
        one = attribute.span(_T)
        for span in ([one] if one else []) + attribute.spans(_TENSORS):
            self._tensors.read(span, "constant", made)
        sparse = attribute.span(_ONE_SPARSE)
        for span in ([sparse] if sparse else []) + attribute.spans(_MANY_SPARSE):
            self._sparse(span, "constant", made)
        for field, dtype in ((_FLOATS, "float32"), (_INTS, "int64"), (_STRINGS, "string")):
            count = attribute.count(field)
            packed = sum(value.size for value in _spans(attribute, field)) if field != _STRINGS else 0
            if count > _LISTED or packed > 8 * _LISTED:
                # A packed list counts by its bytes: four a float, and whole numbers at least one each.
                self._tensors.constant(made, dtype, max(count, packed // 4 if field == _FLOATS else packed))
        inner = attribute.span(_G)
        for span in ([inner] if inner else []) + attribute.spans(_GRAPHS):
            if depth >= DEPTH:
                raise Refused("depth", limit=DEPTH)
            self._graph(self._reader.message(span), depth + 1, "inner")

    def _plain(self, attribute: Message) -> str | int | float | None:
        """An attribute that is one number or one word."""
        number, word = attribute.fixed(_F), attribute.span(_S)
        if number is not None and len(number) == 4:
            value = struct.unpack("<f", number)[0]
            return float(value) if value - value == 0 else None
        if word is not None:
            return shown(self._reader.data[word.start : min(word.end, word.start + 64)])
        return attribute.number(_I) if attribute.count(_I) else None

    def _sparse(self, span: Span, where: str, name: str | None = None) -> None:
        """Both parts of a sparse tensor; what it would fill once spread out is bounded as well."""
        sparse = self._reader.message(span)
        parts = [part for part in (sparse.span(1), sparse.span(2)) if part is not None]
        rows = [self._tensors.read(part, where, name) for part in parts]
        spread = 1
        for dimension in sparse.numbers(3):
            spread *= max(0, dimension)
        if len(rows) != 2 or spread > 1_000_000:
            raise Refused("data", name=shown(rows[0]["name"] if rows else ""), detail="sparse")

    def _value(self, span: Span) -> dict[str, Any]:
        """Name, type and shape of an input or an output."""
        value = self._reader.message(span)
        row: dict[str, Any] = {"name": value.text(1), "dtype": "other", "shape": None}
        kind = value.span(2)
        tensor = self._reader.message(kind).span(1) if kind else None
        if tensor is not None:
            described = self._reader.message(tensor)
            dtype = ONNX.get(described.number(1))
            shape = described.span(2)
            row["dtype"] = dtype.name if dtype else "other"
            row["shape"] = None if shape is None else list(self._dimensions(shape))
        return row

    def _dimensions(self, span: Span) -> Iterator[int | str | None]:
        for part in self._reader.message(span).spans(1):
            dimension = self._reader.message(part)
            if dimension.count(1):
                yield dimension.number(1)
            else:
                yield dimension.text(2) or None

    def _opset(self, span: Span) -> tuple[str, int]:
        opset = self._reader.message(span)
        return _domain(opset.text(1)), opset.number(2)

    def _entries(self, model: Message) -> Iterator[tuple[str, str]]:
        for span in model.spans(_META)[:_METADATA]:
            entry = self._reader.message(span)
            key, value = entry.span(1), entry.span(2)
            yield self._shown(key), self._shown(value)

    def _shown(self, span: Span | None) -> str:
        return "" if span is None else shown(self._reader.data[span.start : min(span.end, span.start + 256)])


def _domain(name: str) -> str:
    return name or "ai.onnx"


def _spans(attribute: Message, field: int) -> list[Span]:
    return [value for value in attribute.values(field) if isinstance(value, Span)]
