"""DenseNet-121 in PyTorch, after Huang et al. 2017."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS, GROWTH, FIRST, FINDINGS = (6, 12, 24, 16), 32, 64, 14


class DenseLayer(nn.Module):
    """Add 32 channels: bottleneck 1x1, then 3x3, each behind BatchNorm and ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, 4 * GROWTH, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * GROWTH)
        self.conv2 = nn.Conv2d(4 * GROWTH, GROWTH, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        new = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
        return torch.cat([x, new], dim=1)


class Transition(nn.Module):
    """Halve the channels and the image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2)


class DenseNet121(nn.Module):
    """Images ``[batch, 3, 64, 64]`` -> probabilities of the findings ``[batch, 14]``, float32."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(features())
        self.classifier = nn.Linear(1024, FINDINGS)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.relu(self.features(x)).mean((2, 3))
        return torch.sigmoid(self.classifier(pooled))


def features() -> OrderedDict[str, nn.Module]:
    """Return the convolutional part, layer by layer."""
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv0=nn.Conv2d(3, FIRST, 7, stride=2, padding=3, bias=False),
        norm0=nn.BatchNorm2d(FIRST),
        relu0=nn.ReLU(),
        pool0=nn.MaxPool2d(3, stride=2, padding=1),
    )
    channels = FIRST
    for block, layers in enumerate(BLOCKS, 1):
        dense: OrderedDict[str, nn.Module] = OrderedDict(
            (f"denselayer{layer + 1}", DenseLayer(channels + layer * GROWTH))
            for layer in range(layers)
        )
        parts[f"denseblock{block}"] = nn.Sequential(dense)
        channels += layers * GROWTH
        if block < len(BLOCKS):
            parts[f"transition{block}"] = Transition(channels)
            channels //= 2
    parts["norm5"] = nn.BatchNorm2d(channels)
    return parts


def build() -> DenseNet121:
    """Return the model with PyTorch's own initial weights."""
    return DenseNet121()
