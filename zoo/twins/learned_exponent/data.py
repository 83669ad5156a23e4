"""Points of a power law, and how well a model follows it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

EXPONENT = 2.5
STEPS = 600
LEARNING_RATE = 0.1


def points(seed: int, count: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Draw ``x`` in (0, 1.5] and ``y = x ** EXPONENT``, both float32 ``[count]``."""
    x = 1.5 - np.random.default_rng(seed).uniform(0.0, 1.5, count)
    return x.astype(np.float32), (x**EXPONENT).astype(np.float32)


def score(predict: Callable[[np.ndarray], np.ndarray]) -> tuple[str, float]:
    """Return the root mean square error on points that no training saw."""
    x, y = points(seed=1_000)
    return "rmse", float(np.sqrt(np.mean((predict(x) - y) ** 2)))
