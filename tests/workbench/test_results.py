"""Notes: plain data, or a sentence that says where it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.session import Session

Begin = Callable[..., Session]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float32(0.5), 0.5), (np.arange(3), [0, 1, 2]), ((1, "a", None, True), [1, "a", None, True]),
        ({"a": {"b": np.int64(2)}}, {"a": {"b": 2}}), ([], []), (np.bool_(True), True), (pd.Series([1, 2]), [1, 2]),
    ],
)  # fmt: skip
def test_a_note_keeps_plain_data(begin: Begin, out: Path, value: Any, kept: Any) -> None:
    begin()
    wb.note("key", value)
    assert json.loads((out / "results.json").read_text())["notes"] == {"key": kept}


class _Own:
    pass


_LOOP: list[Any] = []
_LOOP.append(_LOOP)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("a", {1, 2}, "a holds a set"), ("a", {"b": [1, _Own()]}, r"a\.b\[1\] holds a _Own"),
        ("a", {1: 2}, "a holds a dict"),
        ("a", float("nan"), "is nan"), ("a", [np.float32("inf")], r"a\[0\] is inf"), ("a", _LOOP, "holds itself"),
        ("a", b"x", "holds a bytes"), ("", 1, "key"), (3, 1, "key"), ("k" * 81, 1, "key"),
    ],
)  # fmt: skip
def test_a_note_that_no_file_can_keep_is_named(begin: Begin, out: Path, key: Any, value: Any, said: str) -> None:
    begin()
    with pytest.raises(wb.WorkbenchError, match=said):
        wb.note(key, value)
    assert not (out / "results.json").exists()
