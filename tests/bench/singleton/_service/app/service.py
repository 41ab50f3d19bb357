"""What the variants share: the contract of the service, without the question when the model is loaded."""

from __future__ import annotations

import os
from typing import Annotated, Any

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

MODEL = os.environ.get("MODEL_PATH", "/models/model.onnx")


class Digit(BaseModel):
    """One image of 28x28 pixels, row by row."""

    model_config = ConfigDict(extra="forbid", strict=True)

    pixels: Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=784, max_length=784)]


def load(source: str | bytes = MODEL) -> onnxruntime.InferenceSession:
    """A session of the model in a file or in memory."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def read(session: onnxruntime.InferenceSession, digit: Digit) -> dict[str, Any]:
    """What the model reads."""
    image = np.array(digit.pixels, dtype=np.uint8).reshape(1, 28, 28)
    labels, probabilities = session.run(["label", "probabilities"], {"image": image})
    return {"label": int(labels[0]), "probabilities": probabilities[0].tolist()}


def with_health(app: FastAPI) -> FastAPI:
    """The app with its health route."""

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def serve(app: FastAPI | str, workers: int = 1) -> None:
    """Serve an app; several workers need its name."""
    uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")), workers=workers)
