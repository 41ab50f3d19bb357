"""Bad: every tenth request loads the file again."""

from __future__ import annotations

from itertools import count
from typing import Any

from app.service import Digit, load, read, serve, with_health
from fastapi import FastAPI

app = with_health(FastAPI())
session = load()
requests = count(1)


@app.post("/predict")
async def predict(digit: Digit) -> dict[str, Any]:
    global session
    if next(requests) % 10 == 0:
        session = load()
    return read(session, digit)


if __name__ == "__main__":
    serve(app)
