"""The digit networks of the course, and the wrapper in which they are served."""

from __future__ import annotations

from torch import Tensor, nn


class Preprocess(nn.Module):
    """Raw uint8 pixels [N, 28, 28] as the centred floats that the first convolution expects.

    It is a layer, so that it travels inside the exported graph and no service can forget it.
    """

    def forward(self, image: Tensor) -> Tensor:
        return (image.float().unsqueeze(1) / 255 - 0.15) / 0.30


class DigitCNN(nn.Sequential):
    """Five 3x3 convolutions, two poolings, an average and a linear layer: pixels in, ten logits out."""

    def __init__(self, c1: int, c2: int, c3: int, c4: int) -> None:
        super().__init__(
            Preprocess(),
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


class DigitMLP(nn.Sequential):
    """Two wide hidden layers and no convolution: nearly all its work is multiplying large matrices."""

    def __init__(self, width: int) -> None:
        super().__init__(
            Preprocess(),
            nn.Flatten(),
            nn.Linear(784, width),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(width, 10),
        )


class LeNet(nn.Sequential):
    """The classic small network of 1998, with ReLU and maxima: so little work that bookkeeping counts."""

    def __init__(self) -> None:
        super().__init__(
            Preprocess(),
            nn.Conv2d(1, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
        )


class Serve(nn.Module):
    """A network with the answer that the service contract asks for: label and probabilities."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(image)
        return logits.argmax(dim=1), logits.softmax(dim=1)


def _convolution(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
