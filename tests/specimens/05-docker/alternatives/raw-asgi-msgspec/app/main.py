"""The digit service without a framework: one ASGI callable, bodies decoded and checked by msgspec."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import onnxruntime as ort

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
MAX_BODY = 64 * 1024


class Digit(msgspec.Struct, forbid_unknown_fields=True):
    pixels: Annotated[
        list[Annotated[int, msgspec.Meta(ge=0, le=255)]], msgspec.Meta(min_length=784, max_length=784)
    ]


class Prediction(msgspec.Struct):
    label: int
    probabilities: list[float]
    model: str


class Service:
    def __init__(self) -> None:
        self.decode = msgspec.json.Decoder(Digit).decode
        self.encode = msgspec.json.Encoder().encode
        self.session: ort.InferenceSession | None = None
        self.version = ""

    def load(self) -> None:
        content = Path(os.environ.get("MODEL_PATH", "/models/model.onnx")).read_bytes()
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.version = hashlib.sha256(content).hexdigest()[:12]
        self.read(bytes(784))

    def read(self, pixels: bytes) -> Prediction:
        assert self.session is not None
        image = np.frombuffer(pixels, dtype=np.uint8).reshape(1, 28, 28)
        labels, probabilities = self.session.run(["label", "probabilities"], {"image": image})
        return Prediction(int(labels[0]), probabilities[0].tolist(), self.version)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
        elif scope["type"] == "http":
            status, body = await self.answer(scope["method"], scope["path"], receive)
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def answer(self, method: str, path: str, receive: Receive) -> tuple[int, bytes]:
        if (method, path) == ("GET", "/health"):
            return (200, b'{"status":"ok"}') if self.session else (503, b'{"detail":"loading"}')
        if (method, path) != ("POST", "/predict"):
            return 404, b'{"detail":"nothing here"}'
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_BODY:
                return 413, b'{"detail":"too long"}'
        try:
            digit = self.decode(body)
        except msgspec.MsgspecError as error:
            return 422, self.encode({"detail": str(error)})
        return 200, self.encode(self.read(bytes(digit.pixels)))

    async def lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    self.load()
                except Exception as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await send({"type": "lifespan.shutdown.complete"})
                return


app = Service()
