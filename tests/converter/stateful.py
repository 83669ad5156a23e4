"""Small PyTorch models that keep something between calls."""

from __future__ import annotations

import torch
from torch import nn


class Stream(nn.Module):
    """A causal convolution and a GRU, each with its state in a buffer, and a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gru, self.out = (
            nn.Conv1d(2, 4, 3),
            nn.GRU(4, 3, batch_first=True),
            nn.Linear(3, 2),
        )
        self.register_buffer("past", torch.randn(1, 2, 2))
        self.register_buffer("h", torch.randn(1, 1, 3))
        self.register_buffer("count", torch.tensor(7))

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.past, frame], -1)
        self.past.copy_(x[..., -2:])
        self.count += frame.shape[-1]
        y, h = self.gru(torch.relu(self.conv(x)).transpose(1, 2), self.h)
        self.h.copy_(h)
        return torch.sigmoid(self.out(y)).transpose(1, 2) * frame


class Inner(nn.Module):
    """A buffer of a submodule that is replaced, not changed in place, and is not saved."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.randn(1, 3), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total = 0.5 * self.total + x
        return self.total


class Swap(nn.Module):
    """Two buffers that change places, an output that is an old state, and one that is a new one."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()
        self.register_buffer("a", torch.randn(1, 3))
        self.register_buffer("b", torch.randn(1, 3))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        old = self.a
        self.a, self.b = self.b, self.inner(x) + old
        return {"old": old, "new": self.b, "again": self.b, "x": x}


class Grows(nn.Module):
    """A cache that becomes longer with each call."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cache", torch.zeros(1, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.cache = torch.cat([self.cache, x])
        return self.cache.sum(0)
