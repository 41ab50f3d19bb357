"""Known faults of container engines, by version: `advisories.toml` read and held against what is installed."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

Version = tuple[int, int, int, int]
FINAL = 1_000_000  # a final release stands above all its candidates
NUMBERS = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-~]?(?:rc|beta|alpha)[.-]?(\d+))?")
# A distribution's own build: it may hold repairs that its upstream number does not show.
DISTRIBUTION = re.compile(r"[+~]|ubuntu|dfsg|\.el\d|\.fc\d|-r\d")


@dataclass(frozen=True)
class Advisory:
    """A fault and the first release of each branch that is free of it."""

    id: str
    component: str
    fixed_in: tuple[str, ...]
    en: str
    fr: str


@cache
def advisories() -> tuple[Advisory, ...]:
    """All that we know of; what is not in the table is unknown to us, not absent."""
    text = resources.files(__package__ or "").joinpath("advisories.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["advisory"]
    return tuple(Advisory(**{**row, "fixed_in": tuple(row["fixed_in"])}) for row in rows)


def open_faults(component: str, version: str) -> tuple[Advisory, ...] | None:
    """The faults that this version still has by its number; None where the number cannot be read."""
    found = parse(version)
    if found is None:
        return None
    return tuple(row for row in advisories() if row.component == component and not is_fixed(found, row.fixed_in))


def is_fixed(version: Version, fixed_in: tuple[str, ...]) -> bool:
    """Whether a version has the repair: it stands on a repaired branch late enough, or on a later branch."""
    repaired = [first for first in map(parse, fixed_in) if first is not None]
    if any(version[:2] == first[:2] and version >= first for first in repaired):
        return True
    return version[:2] > max(first[:2] for first in repaired)


def parse(version: str) -> Version | None:
    """Major, minor, patch, candidate."""
    match = NUMBERS.match(version)
    if match is None:
        return None
    major, minor, patch, candidate = match.groups()
    return int(major), int(minor), int(patch or 0), int(candidate) if candidate else FINAL


def is_distribution(version: str, build: str) -> bool:
    """Whether a distribution built it, to judge by its version and its package."""
    return any(DISTRIBUTION.search(text) for text in (version, build))
