"""The digit service in one file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    path = Path(os.environ.get("MODEL_PATH", "/models/model.onnx"))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    app.state.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    app.state.version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    app.state.session.run(None, {"image": np.zeros((1, 28, 28), dtype=np.uint8)})
    yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(RequestValidationError)
async def refuse(request: Request, error: RequestValidationError) -> JSONResponse:
    return JSONResponse({"detail": [{"loc": one["loc"], "msg": one["msg"]} for one in error.errors()]}, 422)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
async def predict(digit: Digit, request: Request) -> Prediction:
    state = request.app.state
    image = np.array(digit.pixels, dtype=np.uint8).reshape(1, 28, 28)
    labels, probabilities = state.session.run(["label", "probabilities"], {"image": image})
    return Prediction(label=int(labels[0]), probabilities=probabilities[0].tolist(), model=state.version)
