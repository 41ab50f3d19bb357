"""Pieces of SVG: every name, attribute and text is escaped on its way in."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

WIDTH = 360


def element(tag: str, *children: Markup | str, **attributes: str | float | None) -> Markup:
    """One element; `class_` is `class`, other underscores are hyphens, None is left out."""
    pairs = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{tag}{pairs}>{''.join(escape(child) for child in children)}</{tag}>")


def picture(
    name: str, title: str, description: str, height: float, parts: Sequence[Markup], stretched: bool = False
) -> Markup:
    """A whole drawing, 360 units wide, read out by its title and description; `stretched` fills any box."""
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        *parts,
        viewBox=f"0 0 {WIDTH} {_short(height)}",
        preserveAspectRatio="none" if stretched else None,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def rect(x: float, y: float, width: float, height: float, class_: str, rx: float | None = None) -> Markup:
    return element("rect", x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), class_=class_, rx=rx)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def label(x: float, y: float, words: str, class_: str = "", anchor: str | None = None) -> Markup:
    return element("text", words, x=x, y=y, class_=class_ or None, text_anchor=anchor)


class LogScale:
    """Positions on a logarithmic axis: equal ratios are equal distances, which is what a latency is about."""

    def __init__(self, low: float, high: float, left: float, right: float) -> None:
        self.low, self.high = low, high
        self._left, self._right = left, right

    def __call__(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        share = math.log(inside / self.low) / math.log(self.high / self.low)
        return self._left + share * (self._right - self._left)

    def ticks(self) -> list[float]:
        """Round values within the axis, 1-2-5 to a decade."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        values = [digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5)]
        return [value for value in values if self.low <= value <= self.high]


def _short(value: str | float | None) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
