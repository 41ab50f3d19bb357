"""The digit service in one file."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field


class Digit(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    pixels: Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=784, max_length=784)]


class Prediction(BaseModel):
    label: int
    probabilities: list[float]
    model: str


@cache
def loaded() -> tuple[ort.InferenceSession, str]:
    """The session and its version, made when somebody first asks."""
    path = Path(os.environ.get("MODEL_PATH", "/models/model.onnx"))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session, hashlib.sha256(path.read_bytes()).hexdigest()[:12]


app = FastAPI()


@app.exception_handler(RequestValidationError)
async def refuse(request: Request, error: RequestValidationError) -> JSONResponse:
    return JSONResponse({"detail": [{"loc": one["loc"], "msg": one["msg"]} for one in error.errors()]}, 422)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
async def predict(digit: Digit) -> Prediction:
    session, version = loaded()
    image = np.array(digit.pixels, dtype=np.uint8).reshape(1, 28, 28)
    labels, probabilities = session.run(["label", "probabilities"], {"image": image})
    return Prediction(label=int(labels[0]), probabilities=probabilities[0].tolist(), model=version)
