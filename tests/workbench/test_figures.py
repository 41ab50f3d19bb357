"""A figure reaches who cannot see it: image, caption, a text instead, the numbers as a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench import figures
from workbench.session import Session

Begin = Callable[..., Session]
Read = Callable[[str], Any]
PROSE = {"caption": "Time by batch", "alt": "A line that falls from 3 ms to 1 ms"}


class Drawing:
    """What matplotlib's figure offers, without matplotlib."""

    def __init__(self, png: bytes) -> None:
        self.png = png

    def savefig(self, target: Any, **options: Any) -> None:
        target.write(self.png)


@pytest.mark.parametrize(
    "data",
    [
        [["batch", "ms"], [1, 3.0], [32, 1.0]],
        [{"batch": 1, "ms": 3.0}, {"batch": 32, "ms": 1.0}],
        {"batch": [1, 32], "ms": [3.0, 1.0]},
        {"batch": np.array([1, 32]), "ms": np.array([3.0, 1.0])},
        pd.DataFrame({"batch": [1, 32], "ms": [3.0, 1.0]}),
        (("batch", "ms"), (1, 3.0), (32, 1.0)),
    ],
    ids=["rows", "tables", "columns", "arrays", "frame", "tuples"],
)
def test_a_figure_has_caption_alternative_and_table(begin: Begin, png: bytes, read_page: Read, data: Any) -> None:
    card = figures.figure(begin(lang="fr"), Drawing(png), data=data, **PROSE)
    page = read_page(card.html())
    assert page.all("img")[0]["alt"] == PROSE["alt"]
    assert str(page.all("img")[0]["src"]).startswith("data:image/png;base64,")
    assert page.all("figure")
    assert page.all("figcaption")
    assert len(page.all("th")) == 2 + 2
    for part in (*PROSE.values(), "batch", "32", "3"):
        assert part in card.plain()
        assert part in page.text


def test_a_figure_may_be_bytes_or_a_file(begin: Begin, png: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png)
    session, rows = begin(), {"a": [1]}
    for fig in (png, tmp_path / "a.png", str(tmp_path / "a.png")):
        assert (
            figures.figure(session, fig, data=rows, **PROSE).html()
            == figures.figure(session, png, data=rows, **PROSE).html()
        )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"caption": None}, "`caption`"), ({"caption": " "}, "`caption`"), ({"alt": None}, "`alt`"),
        ({"alt": 3}, "`alt`"),
        ({"alt": "Time by batch "}, "repeats"), ({"data": None}, "`data`"), ({"data": []}, "`data`"),
        ({"data": [["a", "b"]]}, "`data`"), ({"data": [["a", "b"], [1]]}, "`data`"), ({"data": {"a": []}}, "`data`"),
        ({"data": {"a": [1], "b": [1, 2]}}, "`data`"), ({"data": [{"a": 1}, {"b": 1}]}, "`data`"),
        ({"data": "a,b"}, "`data`"), ({"data": {"a": 1}}, "`data`"), ({"data": 3}, "`data`"),
        ({"data": {"a": list(range(31))}}, "31 rows"), ({"fig": b"GIF89a"}, "this is a bytes"),
        ({"fig": 3}, "this is a int"),
        ({"fig": "/nowhere/a.png"}, "cannot be read"), ({"fig": "a\0b"}, "cannot be read"),
    ],
)  # fmt: skip
def test_a_figure_that_someone_could_not_read_is_refused(
    begin: Begin, png: bytes, wrong: dict[str, Any], said: str
) -> None:
    arguments = {"fig": png, "data": {"a": [1]}, **PROSE} | wrong
    with pytest.raises(wb.WorkbenchError, match=said):
        figures.figure(begin(), arguments.pop("fig"), **arguments)
