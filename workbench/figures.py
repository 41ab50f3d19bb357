"""A figure that everyone can read: image, caption, a text that stands for the image, and its data."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.cards import Card, Image, Table
from workbench.session import Session, is_number, repr_short
from workbench.words import number

MOST_ROWS = 30
_PNG = b"\x89PNG\r\n\x1a\n"


def figure(session: Session, fig: Any, caption: Any, alt: Any, data: Any) -> Card:
    """The card of one figure: `fig` is matplotlib's, or a PNG as bytes or path; `data` its rows (at most 30)."""
    for part, value in (("caption", caption), ("alt", alt)):
        if not (isinstance(value, str) and value.strip()):
            session.refuse("figure_text", part=part)
    if alt.strip() == caption.strip():
        session.refuse("figure_same")
    header, rows = _rows(session, data)
    table = Table(header, [[_cell(session, value) for value in row] for row in rows], session.say("figure_data"))
    image = Image(_png(session, fig), alt.strip(), session.say("figure_alt"), caption.strip(), table)
    return Card("", (image,), session.lang)


def _png(session: Session, fig: Any) -> bytes:
    if hasattr(fig, "savefig"):
        buffer = io.BytesIO()
        fig.savefig(buffer, format="png", bbox_inches="tight", dpi=100)
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            pyplot.close(fig)  # else the notebook shows it a second time, without its text
        return buffer.getvalue()
    if isinstance(fig, str | Path):
        try:
            fig = Path(fig).read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a NUL, which no file system has
            session.refuse("figure_file", path=repr_short(str(fig)), reason=getattr(error, "strerror", None) or "?")
    if not (isinstance(fig, bytes) and fig.startswith(_PNG)):
        session.refuse("figure_kind", found=type(fig).__name__)
    return fig


def _rows(session: Session, data: Any) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of a data frame, a table of columns, a list of tables, or a list of rows under its header."""
    if hasattr(data, "to_dict") and hasattr(data, "columns"):
        data = {str(name): list(data[name]) for name in data.columns}
    if isinstance(data, Mapping):
        columns = [_listed(column) for column in data.values()]
        header, rows = [str(name) for name in data], [list(row) for row in zip(*columns, strict=False)]
        even = len({len(column) for column in columns}) <= 1
    else:
        listed = _listed(data)
        if listed and isinstance(listed[0], Mapping):
            header = [str(name) for name in listed[0]]
            rows = [list(row.values()) for row in listed if isinstance(row, Mapping)]
            even = all(isinstance(row, Mapping) and [str(name) for name in row] == header for row in listed)
        else:
            every = [_listed(row) for row in listed]
            header, rows = [str(name) for name in every[0]] if every else [], every[1:]
            even = all(len(row) == len(header) for row in rows)
    if not header or not rows or not even:
        session.refuse("figure_rows", found=repr_short(data))
    if len(rows) > MOST_ROWS:
        session.refuse("figure_many", rows=len(rows), most=MOST_ROWS)
    return header, rows


def _listed(value: Any) -> list[Any]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return list(value)
    return list(value.tolist()) if hasattr(value, "tolist") and hasattr(value, "__len__") else []


def _cell(session: Session, value: Any) -> str:
    if isinstance(value, str):
        return value
    if is_number(value):
        return str(int(value)) if hasattr(value, "__index__") else number(float(value), session.lang)
    return "-" if value is None else str(value)
