"""What a student's file or program claims: read so that no value of it can raise, nor overflow in what follows."""

from __future__ import annotations

import json
from typing import Any

LARGEST = 2**53 - 1  # up to here, every reader of JSON sees the same integer (RFC 8259, section 6)


def parsed(text: Any) -> Any:
    """The value of a JSON text; None for anything else."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None


def table(holder: Any, *names: str) -> dict[str, Any]:
    """The object under `names`, one inside the other; empty where one of them is missing or no object."""
    for name in names:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return holder if isinstance(holder, dict) else {}


def is_number(value: Any) -> bool:
    """An integer or a finite float whose size is at most 2^53 - 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST


def is_whole(value: Any, least: int = -LARGEST) -> bool:
    """An integer from `least` to 2^53 - 1."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= LARGEST
