"""Good: loaded once, before the first request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.service import Digit, load, read, serve, with_health
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.session = load()
    yield


app = with_health(FastAPI(lifespan=lifespan))


@app.post("/predict")
async def predict(digit: Digit, request: Request) -> dict[str, Any]:
    return read(request.app.state.session, digit)


if __name__ == "__main__":
    serve(app)
