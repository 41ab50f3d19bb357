"""Prove the law of a lab: every specimen gets exactly the verdicts that its author expects.

`prove` grades the specimens and compares; `render_matrix` and `render_tick` put the result in words.
"""

from __future__ import annotations

from grader.specimens.matrix import Finding, Matrix, Row, Tick
from grader.specimens.proving import prove
from grader.specimens.table import render_matrix, render_tick

__all__ = ["Finding", "Matrix", "Row", "Tick", "prove", "render_matrix", "render_tick"]
