"""The child of `running`: executes the one notebook that its request names, by papermill, and says how that ended."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Answers in `answer.json` beside the request: `{"problem": null | "cell_timeout" | "dead" | what is missing}`."""
    asked = Path(sys.argv[1])
    answer = {"problem": _execute(json.loads(asked.read_text(encoding="utf-8")))}
    asked.with_name("answer.json").write_text(json.dumps(answer), encoding="utf-8")


def _execute(request: dict[str, Any]) -> str | None:
    try:
        import papermill
        from jupyter_client.kernelspec import NoSuchKernel
        from nbclient.exceptions import CellTimeoutError, DeadKernelError
        from papermill.exceptions import PapermillExecutionError
    except ModuleNotFoundError as error:
        return error.name or "papermill"
    try:
        papermill.execute_notebook(
            request["given"], request["done"], request["parameters"], kernel_name="python3", cwd=request["here"],
            execution_timeout=request["seconds"], progress_bar=False,
        )  # fmt: skip
    except PapermillExecutionError:
        pass  # it stands in the notebook, cell by cell
    except CellTimeoutError:
        return "cell_timeout"
    except DeadKernelError:
        return "dead"
    except NoSuchKernel:
        return "ipykernel"
    return None


if __name__ == "__main__":
    main()
