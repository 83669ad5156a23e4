"""PyTorch models of these tests, and factories that fail in every way."""

from __future__ import annotations

import torch
from torch import nn

NUMBER = 7


class Classifier(nn.Module):
    """Two inputs' worth of weights: parameters and a buffer."""

    def __init__(self, features: int = 3) -> None:
        super().__init__()
        self.linear = nn.Linear(4, features)
        self.register_buffer("shift", torch.randn(features))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.linear(x) + self.shift}


class Image(nn.Module):
    """A convolution, whose kernel the frameworks keep differently."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        features = torch.relu(self.norm(self.conv(image)))
        return {"logits": self.head(features.mean((2, 3))), "features": features}


def wide() -> nn.Module:
    """Build a model that the weights do not fit."""
    return Classifier(9)


def other() -> nn.Module:
    """Build a model whose weights have other names."""
    return nn.Sequential(nn.Linear(4, 3))


def failing() -> nn.Module:
    """Fail as user code fails."""
    raise RuntimeError("no such data set")


def number() -> int:
    """Return no model."""
    return NUMBER
