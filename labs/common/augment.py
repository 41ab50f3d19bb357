"""Digits as other hands would write them: random rotation, shear, scale, shift, bending, thickness and contrast."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def augment(images: Tensor) -> Tensor:
    """A distorted copy of uint8 images [N, 28, 28], still uint8."""
    ink = images.float().unsqueeze(1) / 255
    grid = functional.affine_grid(_affine(len(ink)), list(ink.shape), align_corners=False) + _bend(ink)
    ink = functional.grid_sample(ink, grid, align_corners=False)
    ink = torch.where(_chosen(ink, 0.3), functional.max_pool2d(ink, 3, stride=1, padding=1) * 0.95, ink)
    ink = torch.where(_chosen(ink, 0.6), _sharpen(ink), ink)
    return ink.clamp(0, 1).mul(255).round().to(torch.uint8).squeeze(1)


def _affine(count: int) -> Tensor:
    angle, shear = _uniform(count, -0.26, 0.26), _uniform(count, -0.2, 0.2)
    wide, high = _uniform(count, 0.8, 1.3), _uniform(count, 0.8, 1.3)
    cos, sin = angle.cos(), angle.sin()
    across = torch.stack([wide * cos, wide * (shear * cos - sin), _uniform(count, -0.14, 0.14)], dim=1)
    down = torch.stack([high * sin, high * (shear * sin + cos), _uniform(count, -0.14, 0.14)], dim=1)
    return torch.stack([across, down], dim=1)


def _bend(ink: Tensor) -> Tensor:
    count, _, height, width = ink.shape
    coarse = torch.randn(count, 2, 5, 5) * _uniform(count, 0, 0.06).view(-1, 1, 1, 1)
    field = functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False)
    return field.permute(0, 2, 3, 1)


def _sharpen(ink: Tensor) -> Tensor:
    # The 8x8 originals are blurred and a pen stroke is not: a contrast curve that keeps 0 at 0 and 1 at 1 covers both.
    count = len(ink)
    gain = _uniform(count, 1, 6).view(-1, 1, 1, 1)
    middle = _uniform(count, 0.3, 0.6).view(-1, 1, 1, 1)
    low, high = torch.sigmoid(-gain * middle), torch.sigmoid(gain * (1 - middle))
    return (torch.sigmoid(gain * (ink - middle)) - low) / (high - low)


def _chosen(ink: Tensor, share: float) -> Tensor:
    return torch.rand(len(ink), 1, 1, 1) < share


def _uniform(count: int, low: float, high: float) -> Tensor:
    return torch.empty(count).uniform_(low, high)
