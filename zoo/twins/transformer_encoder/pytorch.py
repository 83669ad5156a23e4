"""The transformer encoder in PyTorch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VOCABULARY, WIDTH, HEADS, INNER, LAYERS = 100, 32, 4, 64, 2
MASKED = -1e9
"""Added to the score of a padded position; finite, so that an empty text has no NaN."""


class Attention(nn.Module):
    """Multi-head self-attention; ``[batch, length, 32]`` -> the same."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.output = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``mask`` is added to the scores, ``[batch, 1, 1, length]``."""
        query, key, value = (split(part(x)) for part in (self.query, self.key, self.value))
        scores = query @ key.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)
        mixed = torch.softmax(scores + mask, dim=-1) @ value
        return self.output(mixed.transpose(1, 2).flatten(2))


def split(x: Tensor) -> Tensor:
    """``[batch, length, heads * size]`` -> ``[batch, heads, length, size]``."""
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each normalised first and added to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.expand = nn.Linear(WIDTH, INNER)
        self.contract = nn.Linear(INNER, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), mask)
        return x + self.contract(F.gelu(self.expand(self.norm2(x))))


class TransformerEncoder(nn.Module):
    """Token ids ``[batch, length]`` int64, 0 is padding -> ``[batch, length, 32]`` float32."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList(EncoderLayer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens) * math.sqrt(WIDTH) + positions(tokens)
        mask = (tokens == 0)[:, None, None, :] * MASKED
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)


def positions(tokens: Tensor) -> Tensor:
    """Sinusoidal positions ``[length, 32]``: the sines, then the cosines (Vaswani et al. 2017)."""
    place = torch.arange(tokens.shape[1], device=tokens.device, dtype=torch.float32)
    rate = torch.arange(0, WIDTH, 2, device=tokens.device) * (-math.log(10_000.0) / WIDTH)
    angle = place[:, None] * rate.exp()
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def build() -> TransformerEncoder:
    """Return the model with PyTorch's own initial weights."""
    return TransformerEncoder()
