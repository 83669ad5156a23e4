"""TensorFlow, eager: op by op, `tf.function`s included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from converter.signature import Signature
from verify import runtimes
from verify.runtimes.tensorflow_runtime import TensorFlowRunner

if TYPE_CHECKING:
    from converter.formats import Source


def open(source: Source, device: str, signature: Signature | None) -> TensorFlowRunner:
    """Get a live module, a function or a Keras model ready to run without graphs."""
    runner: TensorFlowRunner = runtimes.default(source).open(source, device, signature)
    runner.transform(op_by_op)
    return runner


def op_by_op(function: Any) -> Any:
    """Return a callable that runs a function eagerly."""

    def run(*args: Any, **kwargs: Any) -> Any:
        with eagerly():
            return function(*args, **kwargs)

    return run


@contextmanager
def eagerly() -> Iterator[None]:
    """Let every `tf.function` run as the Python that it is made of."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
