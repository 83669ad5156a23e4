"""Hold a translation of a TensorFlow call to TensorFlow's own result: traced, rebuilt, run."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import torch

from converter.formats import from_live
from converter.rebuild.pytorch import build
from converter.trace.tensorflow import trace
from tests.converter.trace.tensorflow_operators import Row


def compare(row: Row, seed: int) -> None:
    """Trace a call, rebuild it in PyTorch, and compare types, shapes and numbers.

    Raises:
        EquiportError: it cannot be translated.
        AssertionError: the results differ.
    """
    draw = np.random.default_rng(seed)
    arrays = [np.asarray(give(draw)) for give in row.inputs]
    function = as_function(row, arrays)
    wanted = [item.numpy() for item in tf.nest.flatten(function(*map(tf.constant, arrays)))]
    network = build(trace(from_live(function)))
    with torch.no_grad():
        result = network(*[torch.from_numpy(np.array(array)) for array in arrays])
    got = list(result) if isinstance(result, tuple | list) else [result]
    assert len(got) == len(wanted)
    for index, (ours, theirs) in enumerate(zip(got, wanted, strict=True)):
        same(f"{row.name}, output {index}", ours, theirs)


def as_function(row: Row, arrays: list[np.ndarray]) -> Any:
    """Return the call as a function with an input signature."""
    specs = [
        tf.TensorSpec(array.shape if row.fixed else [None] * array.ndim, array.dtype, f"in{index}")
        for index, array in enumerate(arrays)
    ]
    return tf.function(lambda *given: row.call(*given), input_signature=specs, autograph=False)


def same(what: str, ours: Any, theirs: np.ndarray) -> None:
    """Compare one output."""
    ours = ours.numpy() if hasattr(ours, "numpy") else np.asarray(ours)
    assert ours.shape == theirs.shape, what
    if theirs.dtype.kind == "O":
        texts = [item if isinstance(item, bytes) else str(item).encode() for item in ours.flat]
        assert texts == list(theirs.flat), what
        return
    assert ours.dtype == theirs.dtype, what
    if theirs.dtype.kind in "fc":
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5, err_msg=what)
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=what)
