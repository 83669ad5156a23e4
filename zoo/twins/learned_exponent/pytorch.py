"""The learned exponent in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.twins.learned_exponent.data import LEARNING_RATE, STEPS, points


class LearnedExponent(nn.Module):
    """``x`` -> ``|x| ** p``; any shape, float32."""

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return x.abs().pow(self.p)


def build() -> LearnedExponent:
    """Return the untrained model."""
    return LearnedExponent()


def train(model: LearnedExponent, seed: int) -> None:
    """Fit the exponent by stochastic gradient descent, in place; float32, deterministic."""
    x, y = map(torch.from_numpy, points(seed))
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    model.train()
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    model.eval()
