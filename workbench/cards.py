"""A card: what this package shows, described once, rendered as accessible HTML and as plain text.

All text is escaped here and nowhere else. Meaning is carried by words; symbols and borders only repeat it.
"""

from __future__ import annotations

import base64
import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from workbench.words import Lang

_CODE = re.compile(r"`([^`\n]+)`")
_BOX = "border-left:4px solid currentColor;padding:0.2em 0.9em;margin:0.5em 0;max-width:55em"
_CELL = "text-align:left;padding:0.15em 0.8em"


@dataclass(frozen=True)
class Line:
    """One paragraph, after a label where there is one. `lang` names the text's language where it is another one."""

    text: str
    label: str = ""
    lang: str = ""

    def html(self) -> str:
        label = f"<strong>{_marked(self.label)}</strong>" if self.label else ""
        other = f' lang="{escape(self.lang)}"' if self.lang else ""
        text = f"<span{other}>{_marked(self.text)}</span>" if self.text else ""
        return f"<p>{' '.join(filter(None, (label, text)))}</p>"

    def plain(self) -> str:
        return " ".join(filter(None, (inert(self.label), inert(self.text))))


@dataclass(frozen=True)
class Table:
    """Rows under header cells; the first cell of each row is that row's header."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def html(self) -> str:
        caption = f"<caption>{_marked(self.caption)}</caption>" if self.caption else ""
        head = "".join(f'<th scope="col" style="{_CELL}">{_marked(name)}</th>' for name in self.header)
        body = "".join(f"<tr>{self._row(row)}</tr>" for row in self.rows)
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def plain(self) -> str:
        rows = [[inert(cell) for cell in row] for row in (self.header, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(([inert(self.caption)] if self.caption else []) + lines)

    @staticmethod
    def _row(row: Sequence[str]) -> str:
        first = f'<th scope="row" style="{_CELL}">{_marked(row[0])}</th>'
        return first + "".join(f'<td style="{_CELL}">{_marked(cell)}</td>' for cell in row[1:])


@dataclass(frozen=True)
class Image:
    """A PNG with its caption, the text that stands for it where it cannot be seen, and its data."""

    png: bytes
    alt: str
    alt_label: str
    caption: str
    data: Table

    def html(self) -> str:
        source = base64.b64encode(self.png).decode()
        return (
            f'<figure style="margin:0"><img alt="{escape(inert(self.alt))}" src="data:image/png;base64,{source}" '
            f'style="max-width:100%"><figcaption>{_marked(self.caption)}</figcaption></figure>'
            f"{Line(self.alt, self.alt_label).html()}{self.data.html()}"
        )

    def plain(self) -> str:
        return "\n".join((inert(self.caption), Line(self.alt, self.alt_label).plain(), self.data.plain()))


@dataclass(frozen=True)
class Card:
    """A title and what stands below it, in the language `lang`."""

    title: str
    blocks: tuple[Line | Table | Image, ...]
    lang: Lang

    def html(self) -> str:
        inside = "".join(block.html() for block in self.blocks)
        title = f"<p><strong>{_marked(self.title)}</strong></p>" if self.title else ""
        return f'<section lang="{self.lang}" style="{_BOX}">{title}{inside}</section>'

    def plain(self) -> str:
        return "\n".join(([inert(self.title)] if self.title else []) + [block.plain() for block in self.blocks])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.plain()}

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        return self.plain()


def show(card: Card) -> None:
    """The card in the notebook, or its plain text where there is none."""
    if _in_kernel():
        from IPython.display import display

        display(card)  # type: ignore[no-untyped-call]  # IPython gives it no types
    else:
        encoding = sys.stdout.encoding or "utf-8"
        print(card.plain().encode(encoding, "replace").decode(encoding))


def inert(text: str) -> str:
    """`text` without what could act on a terminal or turn the reading direction; line breaks become spaces."""
    return "".join(" " if c in "\n\r\t" else c if unicodedata.category(c) not in ("Cc", "Cf", "Cs") else "\ufffd"
                   for c in text)  # fmt: skip


def _marked(text: str) -> str:
    """Escaped text, with `code` between backticks set as code."""
    return _CODE.sub(r"<code>\1</code>", escape(inert(text)))


def _in_kernel() -> bool:
    """Whether a notebook reads what we display: a terminal, IPython's too, takes text."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and type(shell).__name__ != "TerminalInteractiveShell"
