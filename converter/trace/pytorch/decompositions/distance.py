"""Distances between all pairs of two sets of points."""

from __future__ import annotations

import torch
from torch import Tensor

aten = torch.ops.aten


def cdist(a: Tensor, b: Tensor, p: float = 2.0, compute_mode: int | None = None) -> Tensor:
    """Return ``[..., P, R]`` from ``[..., P, M]`` and ``[..., R, M]``."""
    return torch.linalg.vector_norm(a.unsqueeze(-2) - b.unsqueeze(-3), p, dim=-1)


DECOMPOSITIONS = {aten._cdist_forward.default: cdist, aten.cdist.default: cdist}
