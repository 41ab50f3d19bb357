"""Bad: every request starts a process that loads the file."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from app.service import Digit, serve, with_health
from fastapi import FastAPI

app = with_health(FastAPI())
ONCE = [sys.executable, "-m", "app.once"]


@app.post("/predict")
def predict(digit: Digit) -> dict[str, Any]:
    child = subprocess.run(ONCE, input=json.dumps(digit.pixels).encode(), stdout=subprocess.PIPE, check=True)
    return dict(json.loads(child.stdout))


if __name__ == "__main__":
    serve(app)
