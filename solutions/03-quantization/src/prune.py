"""Magnitude pruning: the smallest weights of the whole network become zero, and stay so while the others learn on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def masks_for(weights: Sequence[Tensor], share: float) -> list[Tensor]:
    """For each weight tensor, 1 where a weight stays and 0 where it goes: one threshold for all layers together."""
    sizes = torch.cat([weight.detach().abs().flatten() for weight in weights])
    threshold = sizes.quantile(share)
    return [(weight.detach().abs() > threshold).float() for weight in weights]


def put_zeros_back(weights: Sequence[Tensor], masks: Sequence[Tensor]) -> None:
    """The optimiser moves every weight, those that are gone too: after each step they are zero again."""
    with torch.no_grad():
        for weight, mask in zip(weights, masks, strict=True):
            weight.mul_(mask)


def zero_share(weights: Sequence[Tensor]) -> float:
    """Which share of all these weights is zero."""
    return sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)
