"""Strings in handlers that move elements and compute nothing.

PyTorch has no strings: they are NumPy arrays of objects. A handler that moves elements runs on
numbers in their place, each the position of its string among all of them, in order. The empty
string is the first, so that it is 0: what pads with zeros pads with it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch


def moves_strings(function, *, only_first=False):
    """Let a handler take strings for its data; its outputs have the data's type.

    Args:
        only_first: only the first output has it.
    """

    @functools.wraps(function)
    def handler(*inputs, **attributes):
        if not any(isinstance(x, np.ndarray) for x in inputs):
            return function(*inputs, **attributes)
        words = np.unique(np.concatenate([[""], *(_words(x) for x in inputs if _is_text(x))]))
        numbers = [_numbers(x, words) if _is_text(x) else x for x in inputs]
        result = function(*numbers, **attributes)
        if isinstance(result, torch.Tensor):
            return _strings(result, words)
        moved = 1 if only_first else len(result)
        return (*(_strings(part, words) for part in result[:moved]), *result[moved:])

    return handler


def _is_text(x: Any) -> bool:
    """Tell strings from tensors, and from numbers on the host."""
    return isinstance(x, np.ndarray | str)


def _words(x: np.ndarray | str) -> np.ndarray:
    return np.asarray(x, object).ravel()


def _numbers(x: np.ndarray | str, words: np.ndarray) -> torch.Tensor:
    places = np.searchsorted(words, np.asarray(x, object))
    return torch.from_numpy(np.asarray(places, np.int64))


def _strings(x: torch.Tensor, words: np.ndarray) -> np.ndarray:
    return np.asarray(words[x.numpy()], object).reshape(tuple(x.shape))
