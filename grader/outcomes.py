"""What a section of the evidence says went wrong with an execution, a file or a model: a cause and its facts."""

from __future__ import annotations

import builtins
from collections.abc import Mapping

from grader.records import Json

# A problem of an execution -> the cause whose words every lab shares.
OF_EXECUTIONS = {
    "no_notebook": "no_notebook",
    "not_a_notebook": "not_a_notebook",
    "old_format": "old_format",
    "no_kernel": "no_kernel",
    "no_start": "no_start",
    "exit": "run_error",
    "timeout": "run_timeout",
    "memory": "run_memory",
    "output": "run_output",
    "killed": "run_killed",
    "disk": "run_disk",
}
OF_MODELS = {
    "load": "model_load",
    "shape": "model_shape",
    "error": "model_error",
    "timeout": "model_timeout",
    "memory": "model_memory",
    "protocol": "model_error",
    "not_finite": "model_not_finite",
}


def refusal(section: Mapping[str, Json]) -> tuple[str, dict[str, Json]] | None:
    """The first thing wrong in the parts given (`result`, `cells`, `file`, runs of a model), None where nothing is."""
    result, file = section.get("result"), section.get("file")
    if isinstance(result, dict) and result.get("ok") is False and result.get("problem") in OF_EXECUTIONS:
        return _of_execution(result, section.get("cells") or [])
    if isinstance(file, dict) and file.get("problem") is not None:
        if file["problem"] == "missing":
            return "missing", {"file": file.get("path")}
        return "rejected", {"file": file.get("path"), "rule": file["problem"]}
    if wrong := _of_cells(section.get("cells") or []):
        return wrong
    for name, run in section.items():
        if isinstance(run, dict) and "batches" in run and run.get("problem") in OF_MODELS:
            return OF_MODELS[run["problem"]], {"run": name, "message": run.get("message", "")}
    return None


def _of_execution(result: dict[str, Json], cells: list[dict[str, Json]]) -> tuple[str, dict[str, Json]]:
    cause, facts = OF_EXECUTIONS[result["problem"]], dict(result.get("facts") or {})
    if cause == "run_error" and cells:
        return _of_cells(cells) or (cause, facts | {"exit_code": result.get("exit_code")})
    if cause in ("run_timeout", "run_output", "run_killed") and facts.get("cell") is not None:
        cause = cause.replace("run_", "cell_")
    return cause, facts | {"exit_code": result.get("exit_code")}


def _plain(error: str) -> str:
    """The name of a built-in exception; one that a student made up could carry hidden data into the report."""
    known = getattr(builtins, error, None)
    return error if isinstance(known, type) and issubclass(known, BaseException) else "Exception"


def _of_cells(cells: list[dict[str, Json]]) -> tuple[str, dict[str, Json]] | None:
    """The first cell that raised, did not run, or ran out of order."""
    for row in cells:
        cell = row["index"] + 1
        if row["error"] is not None and "raises-exception" not in row["tags"]:
            return "cell_error", {"cell": cell, "error": _plain(row["error"])}
        if not row["executed"]:
            return "cell_not_run", {"cell": cell}
        if not row["in_order"]:
            return "cell_order", {"cell": cell}
    return None
