"""What the service takes and what it gives."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

SIDE = 28
A_ONE = [255 if 4 <= row < 24 and 13 <= column < 15 else 0 for row in range(SIDE) for column in range(SIDE)]

Pixel = Annotated[int, Field(ge=0, le=255)]


class Digit(BaseModel):
    """One handwritten digit."""

    # Strict: neither true, nor "12", nor 12.5 is a pixel.
    model_config = ConfigDict(extra="forbid", strict=True)

    pixels: Annotated[
        list[Pixel],
        Field(
            min_length=SIDE * SIDE,
            max_length=SIDE * SIDE,
            fail_fast=True,
            description="28x28 grey levels, row by row, white ink on black",
            examples=[A_ONE],
        ),
    ]


class Prediction(BaseModel):
    """What the model reads in the digit."""

    label: Annotated[int, Field(ge=0, le=9)]
    probabilities: Annotated[list[float], Field(min_length=10, max_length=10, description="one for each label")]
    model: Annotated[str, Field(description="first 12 hexadecimal digits of the model file's sha256")]


class Health(BaseModel):
    """The service is ready."""

    status: str = "ok"


class Refusal(BaseModel):
    """Why there is no prediction: a sentence, or a list of places and rules."""

    detail: str | list[dict[str, object]]
