"""Good: loaded again only when the file has changed."""

from __future__ import annotations

import os
from typing import Any

from app.service import MODEL, Digit, load, read, serve, with_health
from fastapi import FastAPI

app = with_health(FastAPI())
stamp = os.stat(MODEL).st_mtime_ns
session = load()


@app.post("/predict")
async def predict(digit: Digit) -> dict[str, Any]:
    global session, stamp
    now = os.stat(MODEL).st_mtime_ns
    if now != stamp:
        session, stamp = load(), now
    return read(session, digit)


if __name__ == "__main__":
    serve(app)
