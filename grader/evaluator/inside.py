"""The part that holds the model: opens it, runs the batches or the pair, and writes one answer."""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from .arrays import Unfit, feed_arrays, plain
from .outside import MESSAGE, empty
from .running import Wrong, opened, run_batch
from .timing import flags, timed


def main() -> None:
    """Read the request on standard input; only the answer reaches standard output, whatever the libraries print."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    request = json.loads(sys.stdin.buffer.readline())
    with tempfile.TemporaryDirectory(prefix="evaluator-") as folder:
        os.chdir(folder)
        answer = evaluated(request, Path(folder))
        os.chdir("/")
    json.dump(answer, answers, allow_nan=False)
    answers.flush()


def evaluated(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The answer to a request, its files put into the empty `folder`."""
    answer = empty()
    try:
        for name, content in request["files"].items():
            if Path(name).name != name:
                raise Wrong("protocol", "a file's name has a folder in it")
            (folder / name).write_bytes(base64.b64decode(content))
        arrays = feed_arrays(request["feed"])
        if request.get("pair"):
            answer["flags"] = flags()
            for row in timed(request, arrays, folder):
                answer["batches"].append(row)
        else:
            run = opened(request, folder)
            for batch in request["batches"]:
                outputs = plain(run_batch(run, arrays, batch))
                answer["batches"].append({"batch": batch, "outputs": outputs})
    except (Wrong, Unfit) as error:
        answer |= {"problem": error.problem, "message": str(error)[:MESSAGE]}
    except MemoryError:
        answer |= {"problem": "memory", "message": ""}
    return answer
