"""The yardstick with an empty loop of `LOOPS` turns before each prediction: more CPU, the same answers."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from app.main import app

LOOPS = int(os.environ["LOOPS"])
Scope = MutableMapping[str, Any]


async def slower(scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Burn CPU, then answer."""
    if scope["type"] == "http" and scope["path"] == "/predict":
        for _ in range(LOOPS):
            pass
    await app(scope, receive, send)


if __name__ == "__main__":
    uvicorn.run(slower, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
