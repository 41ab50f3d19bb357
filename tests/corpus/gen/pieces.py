"""The pieces that submissions of lab H are put together from: the reference, the junk, and places for other code."""

from __future__ import annotations

import textwrap

SERVE = 'self.answer(200, {"status": "ok"})'
PREDICT = """\
x = numbers(body)
if x is None:
    self.answer(422, {"error": "bad input"})
else:
    self.answer(200, {"y": value(x)})"""
NOTHING = 'self.answer(200, {"y": 0.0})'
PORT = 'int(os.environ.get("PORT", "8000"))'

_APP = """\
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = @PORT@
W = [2.0, -3.0, 0.5, 1.0]


def numbers(body):
    try:
        x = json.loads(body)["x"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(x) is not list or len(x) != 3:
        return None
    if any(type(v) not in (int, float) or not -1e300 < v < 1e300 for v in x):
        return None
    return x


def value(x):
    return W[0] * x[0] + W[1] * x[1] + W[2] * x[2] + W[3]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/health":
            self.health()
        else:
            self.answer(404, {"error": "not found"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/predict":
            self.predict(body)
        else:
            self.answer(404, {"error": "not found"})

    def health(self):
        @HEALTH@

    def predict(self, body):
        @PREDICT@

    def answer(self, status, content, **headers):
        self.send(status, json.dumps(content).encode(), **headers)

    def send(self, status, body, kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128


@HOOK@

Server(("0.0.0.0", PORT), Handler).serve_forever()
"""


def app(hook: str = "", predict: str = PREDICT, health: str = SERVE, port: str = PORT) -> bytes:
    """Give `REF.app`, with code before the server starts (HOOK), other handlers (PRED) or another port."""
    text = _APP.replace("@PORT@", port).replace("@HOOK@", hook)
    for mark, code in (("@HEALTH@", health), ("@PREDICT@", predict)):
        text = text.replace(" " * 8 + mark, textwrap.indent(code, " " * 8))
    return text.encode()


def junk(hook: str = "", predict: str = NOTHING, health: str = SERVE) -> bytes:
    """Give `JUNK.app`: it is healthy, and every prediction is zero."""
    return app(hook, predict, health)


def dockerfile(base: str, *more: str, expose: str = "8000") -> bytes:
    """Give `REF.Dockerfile`, with more lines below its COPY."""
    return lines(
        f"FROM {base}",
        "WORKDIR /app",
        "COPY app.py /app/app.py",
        *more,
        f"EXPOSE {expose}",
        'CMD ["python","/app/app.py"]',
    )


def lines(*each: str) -> bytes:
    """Give a file of these lines."""
    return "".join(f"{line}\n" for line in each).encode()


def reference(base: str, *more: str) -> dict[str, bytes]:
    """Give REF as a folder."""
    return {"Dockerfile": dockerfile(base, *more), "app.py": app()}


def worthless(base: str, *more: str) -> dict[str, bytes]:
    """Give JUNK as a folder."""
    return {"Dockerfile": dockerfile(base, *more), "app.py": junk()}
