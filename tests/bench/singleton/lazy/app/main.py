"""Good: loaded by the first request and kept."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import onnxruntime
from app.service import Digit, load, read, serve, with_health
from fastapi import FastAPI

app = with_health(FastAPI())


@lru_cache(maxsize=1)
def session() -> onnxruntime.InferenceSession:
    return load()


@app.post("/predict")
async def predict(digit: Digit) -> dict[str, Any]:
    return read(session(), digit)


if __name__ == "__main__":
    serve(app)
