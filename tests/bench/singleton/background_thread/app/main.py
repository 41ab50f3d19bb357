"""Good: loaded once by a thread of its own; health is 503 until then."""

from __future__ import annotations

from threading import Thread
from typing import Any

import onnxruntime
from app.service import Digit, load, read, serve
from fastapi import FastAPI, HTTPException

app = FastAPI()
loaded: list[onnxruntime.InferenceSession] = []
Thread(target=lambda: loaded.append(load()), daemon=True).start()


@app.get("/health")
async def health() -> dict[str, str]:
    if not loaded:
        raise HTTPException(503, "loading")
    return {"status": "ok"}


@app.post("/predict")
async def predict(digit: Digit) -> dict[str, Any]:
    return read(loaded[0], digit)


if __name__ == "__main__":
    serve(app)
