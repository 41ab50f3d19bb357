"""The digit service: `GET /health`, `POST /predict`. Yours to write, or yours from lab 04."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the model that MODEL_PATH names, once, and ask it something before the port opens."""
    raise NotImplementedError("L05.E1")
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    """200 and {"status": "ok"} once the model is loaded and warm, 503 before."""
    raise NotImplementedError("L05.E1")


@app.post("/predict")
async def predict() -> dict[str, object]:
    """784 pixels in; label, probabilities and the model's first 12 hexadecimal digits out. Bad input: 422 or 413."""
    raise NotImplementedError("L05.E2")
