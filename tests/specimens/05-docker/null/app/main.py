"""A service that always says the same."""

from __future__ import annotations

from fastapi import FastAPI, Request

app = FastAPI()
ANSWER = {"label": 0, "probabilities": [0.1] * 10, "model": "000000000000"}


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
async def predict(request: Request) -> dict[str, object]:
    return ANSWER
