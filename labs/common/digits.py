"""The course's digits: scikit-learn's 8x8 images redrawn as 28x28 pixels, white ink on black.

`python labs/common/digits.py` writes `digits.safetensors` anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).parent / "digits.safetensors"
HELD_OUT_SHARE = 0.2


@dataclass(frozen=True)
class Digits:
    """Images uint8 [N, 28, 28] and their labels int64 [N]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def load(split: str) -> Digits:
    """The frozen digits of one split, `train` or `held_out`."""
    from safetensors.numpy import load_file

    tensors = load_file(FILE)
    chosen = tensors["split"] == {"train": 0, "held_out": 1}[split]
    return Digits(tensors["images"][chosen], tensors["labels"][chosen].astype(np.int64))


def make() -> dict[str, NDArray[np.uint8]]:
    """All digits in scikit-learn's order: `images`, `labels` and `split` (0 train, 1 held out)."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    source = load_digits()
    _, held_out = train_test_split(
        np.arange(len(source.target)), test_size=HELD_OUT_SHARE, stratify=source.target, random_state=0
    )
    split = np.zeros(len(source.target), dtype=np.uint8)
    split[held_out] = 1
    return {"images": enlarge(source.images), "labels": source.target.astype(np.uint8), "split": split}


def enlarge(small: NDArray[np.float64]) -> NDArray[np.uint8]:
    """8x8 images of 0..16 as 28x28 images of 0..255: a 20x20 box with a margin of 4, as a canvas is cut in lab 08."""
    import torch
    from torch.nn import functional

    ink = torch.tensor(small, dtype=torch.float32).unsqueeze(1) / 16
    box = functional.interpolate(ink, size=(20, 20), mode="bicubic", align_corners=False).clamp(0, 1)
    pixels: NDArray[np.uint8] = functional.pad(box, (4, 4, 4, 4)).mul(255).round().to(torch.uint8).squeeze(1).numpy()
    return pixels


def main() -> None:
    """Write the frozen file."""
    from safetensors.numpy import save_file

    save_file(make(), FILE)


if __name__ == "__main__":
    main()
