"""Good: loaded when the module is imported, used from worker threads."""

from __future__ import annotations

from typing import Any

from app.service import Digit, load, read, serve, with_health
from fastapi import FastAPI

app = with_health(FastAPI())
session = load()


@app.post("/predict")
def predict(digit: Digit) -> dict[str, Any]:
    return read(session, digit)


if __name__ == "__main__":
    serve(app)
