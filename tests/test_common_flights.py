"""The flights of labs 02 and 06: what their texts promise of the data is so, and the hidden flights are not public."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PUBLIC = ROOT / "labs" / "common" / "flights.csv.gz"
HELD_BACK = ROOT / "labs" / "02-onnx" / "private" / "flights.csv.gz"
COLUMNS = [
    "month", "day", "sched_dep", "weekday", "distance", "plane_year", "seats", "temp", "humid", "wind_speed", "precip",
    "pressure", "visib", "carrier", "origin", "dest", "dep_delay", "arr_delay",
]  # fmt: skip

Rows = list[list[str]]


def read(file: Path) -> Rows:
    header, *rows = csv.reader(io.StringIO(gzip.decompress(file.read_bytes()).decode()))
    assert header == COLUMNS
    return rows


@pytest.fixture(scope="module")
def flights() -> Rows:
    return read(PUBLIC)


def late(rows: Rows, *months: int) -> float:
    delays = [int(row[-1]) > 15 for row in rows if int(row[0]) in months]
    return sum(delays) / len(delays)


def test_every_month_is_there_and_the_delays_drift_as_the_labs_tell(flights: Rows) -> None:
    assert len(flights) == 81836
    assert {int(row[0]) for row in flights} == set(range(1, 13))
    spring = late(flights, 1, 2, 3, 4, 5, 6)
    assert 0.23 < spring < 0.27
    assert late(flights, 9) < 0.6 * spring
    assert late(flights, 12) > 1.2 * spring


def test_only_plane_and_weather_may_be_unknown(flights: Rows) -> None:
    empty = {COLUMNS[at] for row in flights for at, value in enumerate(row) if value == ""}
    assert {"plane_year", "pressure"} <= empty <= set(COLUMNS[5:13])
    assert {row[14] for row in flights} == {"EWR", "JFK", "LGA"}


def test_a_hidden_flight_stands_in_no_public_file(flights: Rows) -> None:
    if not HELD_BACK.is_file():
        pytest.skip("a student's copy has no private folder")
    hidden = read(HELD_BACK)
    public = {tuple(row) for row in flights}
    assert len(hidden) == 4000 and {int(row[0]) for row in hidden} == {7, 8}
    assert not any(tuple(row) in public for row in hidden)


def test_the_file_stays_small_enough_for_a_repository() -> None:
    assert PUBLIC.stat().st_size < 2_000_000
