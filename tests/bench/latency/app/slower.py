"""The yardstick with an empty loop of `LOOPS` turns before each prediction, and `STALL_MS` of sleep before each 33rd:
more CPU or a tail, the same answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from typing import Any

import uvicorn
from app.main import app

LOOPS, STALL_MS = int(os.environ["LOOPS"]), float(os.environ["STALL_MS"])
ASKED = count(1)
Scope = MutableMapping[str, Any]


async def slower(scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Burn CPU or doze off, then answer."""
    if scope["type"] == "http" and scope["path"] == "/predict":
        for _ in range(LOOPS):
            pass
        if STALL_MS and next(ASKED) % 33 == 0:
            await asyncio.sleep(STALL_MS / 1000)
    await app(scope, receive, send)


if __name__ == "__main__":
    uvicorn.run(slower, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
