"""scikit-learn's handwritten digits: 1797 images of 8x8 pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits

EPOCHS = 12
BATCH = 64
LEARNING_RATE = 2e-3
HELD_OUT = 360


class Digits(NamedTuple):
    """Images float32 ``[N, 1, 8, 8]`` in [0, 1] and labels int64 ``[N]``."""

    images: np.ndarray
    labels: np.ndarray


def load() -> tuple[Digits, Digits]:
    """Return the training set and the held-out set; always the same split."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    order = np.random.default_rng(0).permutation(len(labels))
    held_out, train = order[:HELD_OUT], order[HELD_OUT:]
    labels = labels.astype(np.int64)
    return Digits(images[train], labels[train]), Digits(images[held_out], labels[held_out])


def batches(digits: Digits, seed: int) -> Iterator[Digits]:
    """Yield `EPOCHS` shuffled passes in full batches of `BATCH`; the rest is left out."""
    rng = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        order = rng.permutation(len(digits.labels))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            yield Digits(digits.images[chosen], digits.labels[chosen])


def score(predict: Callable[[np.ndarray], np.ndarray]) -> tuple[str, float]:
    """Return the accuracy on the held-out set; ``predict`` gives logits ``[N, 10]``."""
    held_out = load()[1]
    return "accuracy", float((predict(held_out.images).argmax(1) == held_out.labels).mean())
