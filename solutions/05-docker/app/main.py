"""The routes: `GET /health`, `POST /predict`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import ValidationError

from app.model import Model
from app.schemas import A_ONE, Digit, Health, Prediction, Refusal

MAX_BODY = 64 * 1024  # bytes; an honest digit takes five thousand


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load and warm the model before the port opens; without a model the start fails."""
    model = Model(Path(os.environ.get("MODEL_PATH", "/models/model.onnx")))
    model.read(A_ONE)
    with ThreadPoolExecutor(max_workers=1) as app.state.reader:
        app.state.model = model
        yield
        app.state.model = None


app = FastAPI(title="Le Guichet", version="1.0.0", lifespan=lifespan)
app.state.model = None


async def loaded_model(request: Request) -> Model:
    """The model; 503 while there is none."""
    model: Model | None = request.app.state.model
    if model is None:
        raise HTTPException(503, "the model is not loaded yet")
    return model


async def sent_digit(request: Request) -> Digit:
    """The body as a digit; 413 when it is far too long, 422 when it is anything else."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"a body has at most {MAX_BODY} bytes")
    try:
        return Digit.model_validate_json(body)
    except ValidationError as error:
        # Without the input: it may hold a NaN, which no JSON answer can repeat.
        raise HTTPException(422, error.errors(include_url=False, include_context=False, include_input=False)) from error


@app.get("/health", responses={503: {"model": Refusal}})
async def health(model: Annotated[Model, Depends(loaded_model)]) -> Health:
    """Say that the model is loaded and warm."""
    return Health()


@app.post(
    "/predict",
    responses={status: {"model": Refusal} for status in (413, 422, 503)},
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": Digit.model_json_schema()}}}
    },
)
async def predict(
    request: Request,
    model: Annotated[Model, Depends(loaded_model)],
    digit: Annotated[Digit, Depends(sent_digit)],
) -> Prediction:
    """Read one digit."""
    # The session releases Python's lock while it computes, so a thread keeps the loop free: `/health` answers
    # during a slow prediction. One thread is enough for one core, and costs less than the pool of a `def` route.
    loop = asyncio.get_running_loop()
    label, probabilities = await loop.run_in_executor(request.app.state.reader, model.read, digit.pixels)
    return Prediction(label=label, probabilities=probabilities, model=model.version)
