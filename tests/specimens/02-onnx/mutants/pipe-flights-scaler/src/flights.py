"""The flights' pipeline: raw columns of timetable, plane and weather in, the probability of a late arrival out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from onnx import ModelProto
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

NUMBERS = [
    "sched_dep", "weekday", "distance", "plane_year", "seats",
    "temp", "humid", "wind_speed", "precip", "pressure", "visib",
]  # fmt: skip
TEXTS = ["carrier", "origin", "dest"]
LATE = 15  # minutes


def build(seed: int, fast: bool = False) -> Pipeline:
    """The pipeline, not trained yet."""
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), TEXTS),
    )
    trees = HistGradientBoostingClassifier(max_iter=10 if fast else 50, random_state=seed)
    return make_pipeline(columns, trees)


def fit(pipeline: Pipeline, flights: pd.DataFrame, seed: int, fast: bool = False) -> Pipeline:
    """The pipeline trained on January to June, on nine tenths of the flights (a fifth, if `fast`) drawn by `seed`."""
    spring = flights[flights.month <= 6].sample(frac=0.2 if fast else 0.9, random_state=seed)
    return pipeline.fit(spring[NUMBERS + TEXTS], spring.arr_delay > LATE)


def convert(pipeline: Pipeline) -> ModelProto:
    """One input for each column, float32 or text, and two outputs: `label` and `probabilities`."""
    columns = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    columns += [(name, StringTensorType([None, 1])) for name in TEXTS]
    return to_onnx(pipeline, initial_types=columns, options={id(pipeline): {"zipmap": False}}, target_opset=20)


def feed(flights: pd.DataFrame) -> dict[str, np.ndarray]:
    """Rows of the table as the converted pipeline takes them."""
    numbers = {name: flights[[name]].to_numpy(np.float32) for name in NUMBERS}
    return numbers | {name: flights[[name]].to_numpy(object) for name in TEXTS}


def read(file: Path) -> pd.DataFrame:
    """The flights of the year."""
    return pd.read_csv(file)
