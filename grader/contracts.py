"""`contract.yaml`: what a model takes and gives, as its authors promise it to those who call it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

BYTES = 16 * 1024
Tensor = tuple[str, tuple[int | None, ...]]  # type, and shape with None for the batch
Fault = tuple[str, dict[str, str | int]]


def contract_fault(text: str, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> Fault | None:
    """The first thing in the text of a contract that is missing, or differs from the wanted inputs and outputs.

    The form: `model`, `version`, `owner` (texts), `metric` with `name` and `value`, `inputs` and `outputs`: lists of
    `name`, `dtype` and `shape`, where the batch is a word. More keys do no harm. Faults: `contract_yaml` {line},
    `contract_field` {field}, `contract_differs` {field, found, wanted}.
    """
    if len(text) > BYTES:
        return "contract_yaml", {"line": "?"}
    try:
        # The base loader makes texts, lists and tables only: it converts nothing and follows no merge key.
        contract = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return "contract_yaml", {"line": mark.line + 1 if mark else "?"}
    except (ValueError, RecursionError):
        return "contract_yaml", {"line": "?"}
    field = _missing(contract)
    if field:
        return "contract_field", {"field": field}
    for side, wanted in (("inputs", inputs), ("outputs", outputs)):
        if fault := _side_fault(contract.get(side), side, wanted):
            return fault
    return None


def shape_text(shape: Any) -> str:
    """`[N, 28, 28]` of a shape, whoever wrote it."""
    if not isinstance(shape, list | tuple):
        return "?"
    return "[" + ", ".join(_size_text(size) for size in shape[:8]) + "]"


def _size_text(size: Any) -> str:
    return "N" if size is None else str(size)[:20] if isinstance(size, int | str) else "?"


def _missing(contract: Any) -> str | None:
    if not isinstance(contract, dict):
        return "model"
    for field in ("model", "version", "owner"):
        if not (isinstance(contract.get(field), str) and contract[field].strip()):
            return field
    metric = contract.get("metric")
    for field in ("name", "value"):
        if not (isinstance(metric, dict) and isinstance(metric.get(field), str) and metric[field].strip()):
            return f"metric.{field}"
    return None


def _side_fault(said: Any, side: str, wanted: Mapping[str, Tensor]) -> Fault | None:
    if not (isinstance(said, list) and said and all(isinstance(entry, dict) for entry in said)):
        return "contract_field", {"field": side}
    names = [entry.get("name") if isinstance(entry.get("name"), str) else "?" for entry in said]
    if sorted(names) != sorted(wanted):
        return _differs(f"{side}.name", ", ".join(names), ", ".join(wanted))
    for name, entry in zip(names, said, strict=True):
        dtype, shape = wanted[name]
        if entry.get("dtype") != dtype:
            found = entry.get("dtype")
            return _differs(f"{name}.dtype", found if isinstance(found, str) else "?", dtype)
        if not _same_shape(entry.get("shape"), shape):
            return _differs(f"{name}.shape", shape_text(entry.get("shape")), shape_text(shape))
    return None


def _same_shape(said: Any, wanted: tuple[int | None, ...]) -> bool:
    """The batch a word, the other sizes the wanted numbers (which the base loader leaves as texts)."""
    if not isinstance(said, list) or len(said) != len(wanted):
        return False
    return all(
        isinstance(size, str) and (size == str(want) if want is not None else bool(size) and not size.isdecimal())
        for size, want in zip(said, wanted, strict=True)
    )


def _differs(field: str, found: str, wanted: str) -> Fault:
    return "contract_differs", {"field": field, "found": found[:120], "wanted": wanted}
