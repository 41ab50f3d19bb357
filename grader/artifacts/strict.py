"""JSON without surprises: no key twice, no NaN, no number or nesting that only some readers take."""

from __future__ import annotations

import json
import math
import re
from typing import Any

BYTES = 1 << 20
DEPTH = 32
DIGITS = 20
# Strings first, so that a bracket inside one is none.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def load(data: bytes, limit: int = BYTES, depth: int = DEPTH) -> Any:
    """The value in `data`; `ValueError` says in a word what is wrong with it."""
    if len(data) > limit:
        raise ValueError("size")
    deep = 0
    for match in _TOKEN.finditer(data):
        token = match[0]
        deep += (token in b"[{") - (token in b"]}")
        if deep > depth:
            raise ValueError("depth")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("utf-8") from None
    value = json.loads(
        text, object_pairs_hook=_once, parse_int=_whole, parse_float=_finite, parse_constant=_no_constant
    )
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate, which no other reader takes, ends here
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("key twice")
    return table


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > DIGITS:
        raise ValueError("digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("number")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)
