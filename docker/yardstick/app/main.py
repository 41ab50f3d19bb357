"""The yardstick: the digit service as most people would write it, with FastAPI's and uvicorn's defaults."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

MAX_BODY = 64 * 1024


class Digit(BaseModel):
    """One image of 28x28 pixels, row by row."""

    model_config = ConfigDict(extra="forbid", strict=True)

    pixels: Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=784, max_length=784)]


class Prediction(BaseModel):
    """What the model read."""

    label: int
    probabilities: list[float]
    model: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the model once, before the first request is let in."""
    content = Path(os.environ.get("MODEL_PATH", "/models/model.onnx")).read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    app.state.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    app.state.model = hashlib.sha256(content).hexdigest()[:12]
    app.state.session.run(None, {"image": np.zeros((1, 28, 28), dtype=np.uint8)})
    yield


app = FastAPI(title="Yardstick", lifespan=lifespan)


@app.exception_handler(RequestValidationError)
async def refuse(request: Request, error: RequestValidationError) -> JSONResponse:
    """Say what is wrong without repeating the input: a NaN in it has no JSON form."""
    return JSONResponse(
        {"detail": [{key: item[key] for key in ("loc", "msg", "type")} for item in error.errors()]}, 422
    )


@app.get("/health")
async def health() -> dict[str, str]:
    """Answer once the model is loaded."""
    return {"status": "ok"}


@app.post("/predict", max_body_size=MAX_BODY)
async def predict(digit: Digit, request: Request) -> Prediction:
    """Read one digit."""
    image = np.array(digit.pixels, dtype=np.uint8).reshape(1, 28, 28)
    labels, probabilities = request.app.state.session.run(["label", "probabilities"], {"image": image})
    return Prediction(label=int(labels[0]), probabilities=probabilities[0].tolist(), model=request.app.state.model)


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
