"""The U-Net in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH, CLASSES = 12, 3


class Stage(nn.Module):
    """Two 3x3 convolutions, each with BatchNorm and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(x)))


class UNet(nn.Module):
    """Images ``[batch, 3, 32, 32]`` -> logits per pixel ``[batch, 3, 32, 32]``, float32."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = Stage(3, WIDTH)
        self.down2 = Stage(WIDTH, 2 * WIDTH)
        self.bottom = Stage(2 * WIDTH, 4 * WIDTH)
        self.grow2 = nn.ConvTranspose2d(4 * WIDTH, 2 * WIDTH, 2, stride=2)
        self.up2 = Stage(4 * WIDTH, 2 * WIDTH)
        self.grow1 = nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, stride=2, padding=1)
        self.up1 = Stage(2 * WIDTH, WIDTH)
        self.logits = nn.Conv2d(WIDTH, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(F.max_pool2d(first, 2))
        bottom = self.bottom(F.max_pool2d(second, 2))
        x = self.up2(torch.cat([second, self.grow2(bottom)], dim=1))
        x = self.up1(torch.cat([first, self.grow1(x)], dim=1))
        return self.logits(x)


def build() -> UNet:
    """Return the model with PyTorch's own initial weights."""
    return UNet()
