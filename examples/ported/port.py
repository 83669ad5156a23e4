"""The same classifier, ported to PyTorch by hand. One line is wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

CLASSES, WIDTH = 10, 24


class Block(nn.Module):
    """Join what a convolution sees with what the neighbourhood is like on average."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.seen = nn.Conv2d(channels, WIDTH, 3, padding=1)
        self.pool = nn.AvgPool2d(3, stride=1, padding=1)
        self.mean = nn.Conv2d(channels, WIDTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = F.relu(self.seen(x))
        mean = self.pool(x)
        mean = F.relu(self.mean(mean))
        return torch.cat([seen, mean], dim=1)


class Port(nn.Module):
    """Images ``[N, 32, 32, 3]``, channels last as in the original, to logits ``[N, 10]``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList([Block(WIDTH), Block(2 * WIDTH)])
        self.logits = nn.Linear(2 * WIDTH, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.stem(image.permute(0, 3, 1, 2)))
        for block in self.blocks:
            x = F.max_pool2d(block(x), 2)
        return self.logits(x.mean(dim=(2, 3)))


def port(weights: Mapping[str, np.ndarray]) -> Port:
    """Build the port with the original's weights, by its names (``block0_seen/kernel``)."""
    model = Port()
    state = {}
    for name, array in weights.items():
        layer, _, kind = name.partition("/")
        layer = layer.replace("block", "blocks.").replace("_", ".")
        if kind == "kernel":  # [height, width, in, out] to [out, in, height, width]
            axes = (3, 2, 0, 1) if array.ndim == 4 else (1, 0)
            state[f"{layer}.weight"] = torch.from_numpy(array.transpose(axes).copy())
        else:
            state[f"{layer}.{kind}"] = torch.from_numpy(array)
    model.load_state_dict(state)
    return model.eval()
