"""The digit network, as its author left it: numbers in, ten scores out.

Her notebook divided the pixels by 255, took 0.15 away and divided by 0.30 before it called the network. That step
was layer 0 once; its place is kept, so that the trained weights still find their names.
"""

from __future__ import annotations

from torch import nn

CHANNELS = (16, 32, 48, 64)


class DigitCNN(nn.Sequential):
    """Centred floats [N, 1, 28, 28] in, ten scores out [N, 10]."""

    def __init__(self, c1: int, c2: int, c3: int, c4: int) -> None:
        super().__init__(
            nn.Identity(),
            *_convolution(1, c1),
            nn.MaxPool2d(2),
            *_convolution(c1, c2),
            *_convolution(c2, c3),
            nn.MaxPool2d(2),
            *_convolution(c3, c4),
            *_convolution(c4, c4),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(c4, 10),
        )


def _convolution(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
