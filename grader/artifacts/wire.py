"""Protocol Buffers' wire format: one message at a time becomes the positions of its fields, no data is copied.

Stricter than the format asks: groups, which no ONNX message has, are refused, and so is a second value of a field
that has one, because readers disagree on what it means.
"""

from __future__ import annotations

from typing import NamedTuple

from grader.artifacts.refused import NAME_BYTES, Refused

_LAST_NUMBER = (1 << 29) - 1
_SIGN, _WORD = 1 << 63, 1 << 64
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


class Span(NamedTuple):
    """Where the bytes of a string, a message or a packed list lie."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


class Fixed(NamedTuple):
    """Where the 4 or 8 bytes of a number of fixed width lie."""

    start: int
    end: int


Value = int | Span | Fixed


class Message:
    """The fields of one message; repeated ones keep their order, which is all that this reader needs."""

    def __init__(self, data: bytes, fields: dict[int, list[Value]]) -> None:
        self._data = data
        self._fields = fields

    def number(self, field: int, default: int = 0) -> int:
        """A field that holds one whole number (int64)."""
        value = self._one(field)
        if value is None:
            return default
        return _signed(_whole(value))

    def numbers(self, field: int) -> list[int]:
        """A repeated field of whole numbers, packed or not."""
        found: list[int] = []
        for value in self._fields.get(field, ()):
            if isinstance(value, Span):
                position = value.start
                while position < value.end:
                    number, position = varint(self._data, position, value.end)
                    found.append(_signed(number))
            else:
                found.append(_signed(_whole(value)))
        return found

    def span(self, field: int) -> Span | None:
        """A field that holds one string or one message."""
        value = self._one(field)
        return None if value is None else _span(value)

    def fixed(self, field: int) -> bytes | None:
        """The bytes of a field that holds one number of fixed width."""
        value = self._one(field)
        return self._data[value.start : value.end] if isinstance(value, Fixed) else None

    def wide(self, field: int, width: int) -> bytes:
        """The bytes of a repeated field of numbers of fixed width, packed or not."""
        values = self._fields.get(field, ())
        if any(isinstance(value, int) or (isinstance(value, Fixed) and value.end - value.start != width)
               for value in values):  # fmt: skip
            raise Refused("format", detail="wire type")
        return b"".join(self._data[value.start : value.end] for value in values if not isinstance(value, int))

    def spans(self, field: int) -> list[Span]:
        """A repeated field of strings or messages."""
        return [_span(value) for value in self._fields.get(field, ())]

    def text(self, field: int) -> str:
        """A field that holds one short string; "" where it is absent."""
        span = self.span(field)
        return "" if span is None else text(self._data, span)

    def texts(self, field: int) -> list[str]:
        return [text(self._data, span) for span in self.spans(field)]

    def values(self, field: int) -> list[Value]:
        """A repeated field as it stands, packed or not."""
        return self._fields.get(field, [])

    def count(self, field: int) -> int:
        return len(self._fields.get(field, ()))

    def _one(self, field: int) -> Value | None:
        values = self._fields.get(field, ())
        if len(values) > 1:
            raise Refused("format", detail=f"field {field} twice")
        return values[0] if values else None


class Reader:
    """Reads messages of one file and counts the fields that it meets, so that no file costs more than its share."""

    def __init__(self, data: bytes, most_fields: int) -> None:
        self.data = data
        self._left = most_fields

    def message(self, span: Span) -> Message:
        """The fields of the message that lies at `span`."""
        data, position, end = self.data, span.start, span.end
        fields: dict[int, list[Value]] = {}
        while position < end:
            self._left -= 1
            if self._left < 0:
                raise Refused("nodes", detail="fields")
            tag, position = varint(data, position, end)
            kind, number = tag & 7, tag >> 3
            if not 0 < number <= _LAST_NUMBER:
                raise Refused("format", detail="field number")
            value: Value
            if kind == _VARINT:
                value, position = varint(data, position, end)
            else:
                size, position = _size(data, kind, position, end)
                value = (Span if kind == _BYTES else Fixed)(position, position + size)
                position += size
                if position > end:
                    raise Refused("format", detail="cut short")
            fields.setdefault(number, []).append(value)
        return Message(data, fields)


def varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """The unsigned number at `position`, and where the next one begins."""
    value = shift = 0
    while position < end and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value % _WORD, position
        shift += 7
    raise Refused("format", detail="number")


def text(data: bytes, span: Span) -> str:
    """A short string; names that fill pages are no names."""
    if span.size > NAME_BYTES:
        raise Refused("format", detail="name")
    try:
        return data[span.start : span.end].decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("format", detail="utf-8") from None


def _size(data: bytes, kind: int, position: int, end: int) -> tuple[int, int]:
    if kind == _BYTES:
        return varint(data, position, end)
    if kind in (_FOUR, _EIGHT):
        return 4 if kind == _FOUR else 8, position
    raise Refused("format", detail="wire type")


def _whole(value: Value) -> int:
    if isinstance(value, int):
        return value
    raise Refused("format", detail="wire type")


def _span(value: Value) -> Span:
    if isinstance(value, Span):
        return value
    raise Refused("format", detail="wire type")


def _signed(value: int) -> int:
    return value - _WORD if value >= _SIGN else value
