"""Random weights that depend on nothing but the seed and the weight's name."""

from __future__ import annotations

import math
import zlib

import numpy as np


def scale(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Draw a normalisation's gamma: uniform in [0.6, 1.4]."""
    return generator(name, seed).uniform(0.6, 1.4, shape).astype(np.float32)


def offset(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Draw a bias or a normalisation's beta: normal with deviation 0.2."""
    return (0.2 * generator(name, seed).standard_normal(shape)).astype(np.float32)


def kernel(
    name: str, shape: tuple[int, ...], fan_in: int, seed: int, gain: float = 1.0
) -> np.ndarray:
    """Draw a kernel that keeps the variance: normal with deviation ``gain / sqrt(fan_in)``."""
    values = generator(name, seed).standard_normal(shape)
    return (values * (gain / math.sqrt(max(fan_in, 1)))).astype(np.float32)


def mean(name: str, settled: np.ndarray, settled_variance: np.ndarray, seed: int) -> np.ndarray:
    """Move a settled mean by a fifth of the deviation: behind zero-mean inputs it would be 0."""
    moved = 0.2 * generator(f"{name}/mean", seed).standard_normal(settled.shape)
    return (settled + moved * np.sqrt(settled_variance)).astype(np.float32)


def variance(name: str, settled: np.ndarray, seed: int) -> np.ndarray:
    """Move a settled variance off its exact value, and away from 0 where a channel is dead."""
    factor = generator(name, seed).uniform(0.8, 1.25, settled.shape)
    return (settled * factor + 0.05 * settled.mean()).astype(np.float32)


def generator(name: str, seed: int) -> np.random.Generator:
    """Return a generator of its own for each weight, so that the order does not matter."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
