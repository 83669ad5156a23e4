"""How the tests of the zoo run a model and say how far two outputs are apart."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from zoo.entry import Entry


def fresh_seed() -> int:
    """Return a random seed and print it, so that a failure can be repeated."""
    seed = secrets.randbelow(2**31)
    print(f"seed {seed}")
    return seed


def sizes_of(entry: Entry) -> Iterator[dict[str, int]]:
    """Yield the sizes of the dynamic dimensions that the entry is checked at."""
    for index in range(max(map(len, entry.sizes.values()))):
        yield {dim: sizes[index % len(sizes)] for dim, sizes in entry.sizes.items()}


def run(model: Any, framework: str, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Run a live model of the zoo."""
    if framework == "torch":
        import torch

        with torch.no_grad():
            return model(**{n: torch.from_numpy(a) for n, a in inputs.items()}).numpy()
    (array,) = inputs.values()
    with warnings.catch_warnings():  # keras.applications wants its one input in a list, or says so
        warnings.simplefilter("ignore")
        return np.asarray(model(array))


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference relative to the largest element of ``a``."""
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    assert np.isfinite(a).all()
    return float(np.abs(a.astype(np.float64) - b).max() / np.abs(a).max())
