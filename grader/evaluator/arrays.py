"""Numbers across the border: arrays from a request, plain lists into the answer."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

ELEMENTS = 500_000
_DTYPES = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
}  # fmt: skip
Arrays = dict[str, np.ndarray[Any, Any]]


class Unfit(Exception):
    """Values that plain JSON cannot say, or not in reasonable space."""

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(message)
        self.problem = problem


def feed_arrays(feed: Mapping[str, Mapping[str, Any]]) -> Arrays:
    """The arrays of a request by input name; all have the same number of rows."""
    arrays = {name: _array(entry) for name, entry in feed.items()}
    if not arrays or len({array.shape[:1] for array in arrays.values()}) != 1 or not all(map(len, arrays.values())):
        raise Unfit("protocol", "the inputs have no rows, or not the same number")
    return arrays


def rows(arrays: Arrays, start: int, count: int) -> Arrays:
    """So many rows of each array; where they end, they begin again."""
    return {name: array.take(range(start, start + count), axis=0, mode="wrap") for name, array in arrays.items()}


def plain(outputs: Arrays) -> dict[str, Any]:
    """The outputs as nested lists of finite numbers, truth values and strings."""
    if sum(array.size for array in outputs.values()) > ELEMENTS:
        raise Unfit("shape", f"more than {ELEMENTS} numbers")
    return {name: _listed(name, array) for name, array in outputs.items()}


def _array(entry: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    dtype, shape = entry["dtype"], tuple(entry["shape"])
    if not shape:
        raise Unfit("protocol", "an input has no rows")
    if dtype == "string":
        return np.array(entry["data"], dtype=object).reshape(shape)
    if dtype not in _DTYPES:
        raise Unfit("protocol", f"no such type: {dtype}")
    return (
        np.frombuffer(base64.b64decode(entry["data"]), np.dtype(dtype).newbyteorder("<")).reshape(shape).astype(dtype)
    )


def _listed(name: str, array: np.ndarray[Any, Any]) -> Any:
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise Unfit("not_finite", f"{name} holds NaN or infinity")
        if array.dtype.itemsize <= 4:
            # Nine digits say a float32 exactly, and take half the room.
            return np.array([float(f"{value:.9g}") for value in array.ravel()]).reshape(array.shape).tolist()
        return array.astype(np.float64).tolist()
    if array.dtype.kind in "iub":
        return array.tolist()
    if array.dtype.kind in "OUS":
        return np.array([str(value) for value in array.ravel()], dtype=object).reshape(array.shape).tolist()
    raise Unfit("shape", f"{name} is of type {array.dtype}")
