"""Seeded random weights for a Keras model."""

from __future__ import annotations

import math
import warnings

import keras
import numpy as np

from zoo.entry import Entry
from zoo.sampling import sample
from zoo.settle import draw

BATCH = 16
DAMPING = 0.3


def settle(model: keras.Model, entry: Entry) -> None:
    """Draw every weight and settle BatchNorm on one batch; in place.

    Gamma, beta, mean and variance are then all far from their defaults, and activations neither
    vanish nor explode.
    """
    for weight in model.trainable_weights:
        damped = entry.damped is not None and weight.path.endswith(entry.damped)
        factor = DAMPING if damped else 1.0
        weight.assign(factor * drawn(weight.path, tuple(weight.shape), entry))
    norms = [n for n in model.layers if isinstance(n, keras.layers.BatchNormalization)]
    if norms:
        settle_statistics(model, norms, entry)


def drawn(path: str, shape: tuple[int, ...], entry: Entry) -> np.ndarray:
    """Draw one weight by what its name says it is."""
    seed = entry.seed
    leaf = path.rpartition("/")[2]
    if leaf == "embeddings":
        return draw.kernel(path, shape, 4, seed)
    if leaf in ("bias", "beta"):
        return draw.offset(path, shape, seed)
    if len(shape) < 2:
        return draw.scale(path, shape, seed)
    depthwise = len(shape) == 4 and shape[3] == 1
    fan_in = math.prod(shape[: 2 if depthwise else -1])
    return draw.kernel(path, shape, fan_in, seed, entry.gain)


def settle_statistics(
    model: keras.Model, norms: list[keras.layers.BatchNormalization], entry: Entry
) -> None:
    """Take each BatchNorm's statistics from one batch, then perturb them."""
    given = sample(entry, "tf", dict.fromkeys(entry.sizes, BATCH), entry.seed)
    momenta = [norm.momentum for norm in norms]
    random_states = [v for v in model.variables if v.path.endswith("seed_generator_state")]
    for norm in norms:
        norm.momentum = 0.0
    for state in random_states:  # dropout
        state.assign(np.array([entry.seed, 0], dtype=state.dtype))
    with warnings.catch_warnings():  # keras.applications wants its one input in a list, or says so
        warnings.simplefilter("ignore")
        model(list(given.values()) if len(given) > 1 else next(iter(given.values())), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
        norm.moving_mean.assign(draw.mean(norm.name, mean, variance, entry.seed))
        norm.moving_variance.assign(draw.variance(norm.name, variance, entry.seed))
