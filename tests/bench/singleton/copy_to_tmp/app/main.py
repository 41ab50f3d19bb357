"""Bad: every request loads a copy, made at the start where nobody looks."""

from __future__ import annotations

import shutil
from typing import Any

from app.service import MODEL, Digit, load, read, serve, with_health
from fastapi import FastAPI

app = with_health(FastAPI())
copy = shutil.copyfile(MODEL, "/tmp/copy.onnx")


@app.post("/predict")
async def predict(digit: Digit) -> dict[str, Any]:
    return read(load(copy), digit)


if __name__ == "__main__":
    serve(app)
