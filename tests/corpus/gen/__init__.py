"""The corpus generator: `gen` writes one case, `CASES` lists them (id -> group).

Groups are A (staging), B (build), C (run), D (notebook and model) and V (valid). `gen` writes `case.json` into the folder it is given and each
submission beside it, and gives the path of `case.json`:

    id, group, kind (hostile | valid), split, lab (H or N)
    honest       points that the content would earn without its attack
    bound        seconds within which the verdict must be there (T)
    submissions  names beside case.json; each one alone must come to the same expectation
    expect       classes (any of), rules (any of, [] = none asked), score {"exact": n} or {"max": n},
                 items {item: points exactly}, also {what: number} for what a harness measures outside the report

Parameters, by name: BASE, BASE_WEB, BADBASE, CANARY_URL, HOST_CANARY. Where BASE_WEB is BASE its packages are not in it
yet, and the Dockerfile installs them. No submission of these groups carries a token: they hunt those of the harness.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from . import building, models, notebooks, serving, staging, storming, valid_builds, valid_files, valid_services
from .case import Maker, Setting, write

_MAKERS: dict[str, dict[str, Maker]] = {
    "A": staging.MAKERS,
    "B": building.MAKERS,
    "C": storming.MAKERS | serving.MAKERS,
    "D": notebooks.HOSTILE | models.HOSTILE,
    "V": valid_files.MAKERS | valid_builds.MAKERS | valid_services.MAKERS | notebooks.VALID | models.VALID,
}
CASES: dict[str, str] = {case_id: group for group, makers in _MAKERS.items() for case_id in sorted(makers)}


def gen(case_id: str, out_dir: Path, params: Mapping[str, str], seed: int) -> Path:
    """Write a case into `out_dir`, which is made if need be; give the path of its `case.json`."""
    group = CASES[case_id]
    setting = Setting(params, random.Random(f"{case_id}:{seed}"))
    return write(_MAKERS[group][case_id](setting), case_id, group, out_dir)
