"""The same classifier, ported to PyTorch by hand. One line is wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WORDS, LENGTH, WIDTH, CLASSES, BLOCKS = 200, 16, 32, 4, 3


class Block(nn.Module):
    """Attention, then two dense layers, each behind a normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-3)
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.norm2 = nn.LayerNorm(WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def attention(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.q(x) @ self.k(x).transpose(1, 2) / WIDTH**0.5
        return self.out(torch.softmax(scores, dim=-1) @ self.v(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        hidden = self.norm2(x)
        return x + self.down(F.gelu(self.up(hidden)))


class Port(nn.Module):
    """Tokens of a text to the logits of its class."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.logits = nn.Linear(WIDTH, CLASSES)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.words(tokens)
        for block in self.blocks:
            x = block(x)
        return self.logits(x.mean(dim=1))


def port(weights: Mapping[str, np.ndarray]) -> Port:
    """Build the port with the original's weights, by its names (``block0_up/kernel``)."""
    model = Port()
    kinds = {"kernel": "weight", "gamma": "weight", "embeddings": "weight", "beta": "bias"}
    state = {}
    for name, array in weights.items():
        layer, _, kind = name.partition("/")
        if layer.startswith("block"):
            layer = layer.replace("block", "blocks.").replace("_", ".")
        turned = array.T if kind == "kernel" else array  # Dense is [in, out], Linear [out, in]
        state[f"{layer}.{kinds.get(kind, kind)}"] = torch.from_numpy(turned.copy())
    model.load_state_dict(state)
    return model.eval()
