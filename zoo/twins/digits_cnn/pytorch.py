"""The handwritten-digit CNN in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.twins.digits_cnn.data import LEARNING_RATE, batches, load


class DigitsCNN(nn.Module):
    """Images ``[batch, 1, 8, 8]`` in [0, 1] -> logits ``[batch, 10]``, float32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(32)
        self.dropout = nn.Dropout(0.25)
        self.logits = nn.Linear(32 * 2 * 2, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        return self.logits(self.dropout(x.flatten(1)))


def build() -> DigitsCNN:
    """Return the untrained model."""
    return DigitsCNN()


def train(model: DigitsCNN, seed: int) -> None:
    """Train in place with Adam; deterministic in ``seed``; the global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.load_state_dict(DigitsCNN().state_dict())
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        model.train()
        for images, labels in batches(load()[0], seed):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(torch.from_numpy(images)), torch.from_numpy(labels))
            loss.backward()
            optimizer.step()
    model.eval()
