"""Bad: every request starts a process that loads the file."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from fastapi import FastAPI

from app.service import Digit, load, read, serve, with_health

app = with_health(FastAPI())


@app.post("/predict")
def predict(digit: Digit) -> dict[str, Any]:
    child = subprocess.run(
        [sys.executable, "-m", "app.main", "once"], input=digit.model_dump_json().encode(), stdout=subprocess.PIPE, check=True
    )
    return dict(json.loads(child.stdout))


if __name__ == "__main__":
    if sys.argv[1:] == ["once"]:
        print(json.dumps(read(load(), Digit.model_validate_json(sys.stdin.buffer.read()))))
    else:
        serve()
