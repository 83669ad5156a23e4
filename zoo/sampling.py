"""Random inputs that a model of the zoo accepts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from converter.signature import TensorSpec
from zoo.entry import Entry


def sample(
    entry: Entry, framework: str, sizes: Mapping[str, int], seed: int
) -> dict[str, np.ndarray]:
    """Draw one input per name, in the layout of ``framework``.

    Args:
        sizes: dynamic dimension to its size.
        seed: the same seed gives the same arrays, in PyTorch's and in TensorFlow's layout.

    Returns:
        Floats are standard normal, integers lie inside the entry's bounds.
    """
    rng = np.random.default_rng(seed)
    if entry.is_twin and framework == "tf":
        given = sample(entry, "torch", sizes, seed)
        return {name: to_tf(entry, name, array) for name, array in given.items()}
    specs = entry.side(framework).signature.inputs
    return {spec.name: _draw(spec, entry, sizes, rng) for spec in specs}


def to_tf(entry: Entry, name: str, array: np.ndarray) -> np.ndarray:
    """Bring an input or output of the PyTorch twin into the Keras twin's layout."""
    axes = entry.permutations.get(name)
    return array if axes is None else np.ascontiguousarray(array.transpose(axes))


def to_torch(entry: Entry, name: str, array: np.ndarray) -> np.ndarray:
    """Bring an input or output of the Keras twin into the PyTorch twin's layout."""
    axes = entry.permutations.get(name)
    return array if axes is None else np.ascontiguousarray(array.transpose(np.argsort(axes)))


def _draw(
    spec: TensorSpec, entry: Entry, sizes: Mapping[str, int], rng: np.random.Generator
) -> np.ndarray:
    assert spec.shape is not None
    shape = tuple(dim if isinstance(dim, int) else sizes[dim] for dim in spec.shape)
    if spec.dtype.startswith("float"):
        return rng.standard_normal(shape).astype(spec.dtype)
    low, high = entry.bounds.get(spec.name, (0, 1))
    values = rng.integers(low, high, shape, dtype=spec.dtype, endpoint=True)
    if spec.name not in entry.padded:
        return values
    lengths = rng.integers(1, shape[1], (shape[0], 1), endpoint=True)
    return np.where(np.arange(shape[1]) < lengths, np.maximum(values, 1), 0).astype(spec.dtype)
