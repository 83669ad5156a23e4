"""Modules with loops of their own, for `torch.jit.script`, which reads their source."""

from __future__ import annotations

import torch
from torch import nn


class Repeats(nn.Module):
    """As many rounds as there are rows."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(x.size(0)):
            x = torch.tanh(self.linear(x))
        return x


class Until(nn.Module):
    """Rounds until a sum is large, twenty at most."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rounds = 0
        while bool(x.sum() < 10.0) and rounds < 20:
            x = torch.relu(self.linear(x)) + 1
            rounds += 1
        return x


class Counts(nn.Module):
    """As many rounds as an argument says."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor, n: int) -> torch.Tensor:
        for _ in range(n):
            x = torch.relu(self.linear(x))
        return x


class Lists(nn.Module):
    """A loop over a cell that gathers its results in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.zeros(x.size(1), 4)
        results = []
        for step in range(x.size(0)):
            h = self.cell(x[step], h)
            results.append(h)
        return torch.stack(results)
