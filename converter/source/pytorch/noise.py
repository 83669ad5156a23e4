"""Layers of Keras that PyTorch has not: their text is written into a module that needs them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GaussianNoise(nn.Module):
    """Adds normal noise of a standard deviation while training."""

    def __init__(self, stddev: float) -> None:
        super().__init__()
        self.stddev = stddev

    def forward(self, x: Tensor) -> Tensor:
        return x + self.stddev * torch.randn_like(x) if self.training else x


class GaussianDropout(nn.Module):
    """Multiplies by normal noise of mean 1 and variance p / (1 - p) while training."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.stddev = (p / (1 - p)) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + self.stddev * torch.randn_like(x)) if self.training else x
