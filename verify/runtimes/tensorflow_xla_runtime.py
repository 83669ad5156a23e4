"""TensorFlow: a graph that XLA compiles as a whole, once for each set of shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from converter.signature import Signature
from verify import runtimes
from verify.runtimes.tensorflow_runtime import TensorFlowRunner

if TYPE_CHECKING:
    from converter.formats import Source


def open(source: Source, device: str, signature: Signature | None) -> TensorFlowRunner:
    """Get a live module, a function, a SavedModel or a Keras model ready to be compiled.

    What XLA cannot compile (strings, sizes that depend on values) fails when it runs.
    """
    runner: TensorFlowRunner = runtimes.default(source).open(source, device, signature)
    runner.transform(compiled)
    return runner


def compiled(function: Any) -> Any:
    """Return a function that XLA compiles; of ``function`` nothing is left to run in between."""
    return tf.function(
        lambda *args, **kwargs: function(*args, **kwargs), jit_compile=True, autograph=False
    )
