"""Bad: every request builds the session again, from bytes read once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.service import MODEL, Digit, load, read, serve, with_health
from fastapi import FastAPI

app = with_health(FastAPI())
content = Path(MODEL).read_bytes()


@app.post("/predict")
async def predict(digit: Digit) -> dict[str, Any]:
    return read(load(content), digit)


if __name__ == "__main__":
    serve(app)
