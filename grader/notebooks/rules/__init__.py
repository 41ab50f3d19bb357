"""The rules that a notebook keeps, each a small function; their numbers are those of the course's page on pedagogy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from grader.notebooks.rules.bets import r06, r07, r13, r14
from grader.notebooks.rules.exercises import r05, r08, r09, r10, r11, r12
from grader.notebooks.rules.parameters import r03, r20, r21, r22
from grader.notebooks.rules.prose import r15, r16, r17
from grader.notebooks.rules.shape import r00, r01, r02, r04
from grader.notebooks.subject import Finding, Subject

RULES: Mapping[str, Callable[[Subject], Iterator[Finding]]] = {
    "R00": r00, "R01": r01, "R02": r02, "R03": r03, "R04": r04, "R05": r05, "R06": r06, "R07": r07, "R08": r08,
    "R09": r09, "R10": r10, "R11": r11, "R12": r12, "R13": r13, "R14": r14, "R15": r15, "R16": r16, "R17": r17,
    "R20": r20, "R21": r21, "R22": r22,
}  # fmt: skip
