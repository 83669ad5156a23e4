"""Sampling: ONNX's random operators, which draw anew at every call.

Seeds, keys and counters are not carried over: no other framework gives the same numbers for them.
What TensorFlow itself works out before the model runs, a stateless sample with a constant seed and
size, stays the constant that it is.
"""

from __future__ import annotations

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, NotTranslated, Value

_TRIES = 8
"""Normal numbers drawn for each truncated one; all of them lie outside once in 5e10."""


@translates("RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2")
def random_uniform(write: NodeWriter, sizes: Value, *seed: Value) -> Value:
    """Uniform between 0 and 1."""
    return uniform(write, write.index(sizes), write.result_dtypes[0])


@translates("RandomStandardNormal", "StatelessRandomNormal", "StatelessRandomNormalV2")
def random_normal(write: NodeWriter, sizes: Value, *seed: Value) -> Value:
    """Normal with mean 0 and deviation 1."""
    return normal(write, write.index(sizes), write.result_dtypes[0])


@translates("TruncatedNormal", "StatelessTruncatedNormal", "StatelessTruncatedNormalV2")
def truncated_normal(write: NodeWriter, sizes: Value, *seed: Value) -> Value:
    """Normal, drawn again where it is more than 2 from 0."""
    drawn = normal(write, write.vector(_TRIES, write.index(sizes)), write.result_dtypes[0])
    two = write.cast(np.float32(2), write.result_dtypes[0])
    result: Value = write.Clip(write.Gather(drawn, np.array(0), axis=0), write.Neg(two), two)
    for index in range(1, _TRIES):
        one = write.Gather(drawn, np.array(index), axis=0)
        result = write.Where(write.LessOrEqual(write.Abs(one), two), one, result)
    return result


@translates("RandomUniformInt")
def random_uniform_int(write: NodeWriter, sizes: Value, low: Value, high: Value) -> Value:
    """Integers from the lower bound to below the upper one."""
    return integers(write, write.index(sizes), low, high)


@translates("StatelessRandomUniformInt")
def stateless_uniform_int(
    write: NodeWriter, sizes: Value, seed: Value, low: Value, high: Value
) -> Value:
    """Integers from the lower bound to below the upper one."""
    return integers(write, write.index(sizes), low, high)


@translates("StatelessRandomUniformIntV2")
def stateless_uniform_int_v2(
    write: NodeWriter,
    sizes: Value,
    key: Value,
    counter: Value,
    algorithm: Value,
    low: Value,
    high: Value,
) -> Value:
    """Integers from the lower bound to below the upper one."""
    return integers(write, write.index(sizes), low, high)


@translates("Multinomial", "StatelessMultinomial")
def multinomial(write: NodeWriter, logits: Value, count: Value, *seed: Value) -> Value:
    """Draw classes by their logits: the largest after Gumbel noise is added (Maddison 2014)."""
    sizes = write.vector(write.size(logits, 0), write.index(count), write.size(logits, 1))
    even = uniform(write, sizes, write.element(logits))
    floor = write.like(np.finfo(np.float32).tiny, logits)
    noise = write.Neg(write.Log(write.Neg(write.Log(write.Max(even, floor)))))
    best = write.ArgMax(write.Add(write.Unsqueeze(logits, [1]), noise), axis=2, keepdims=0)
    return write.cast(best, write.result_dtypes[0])


@translates("RandomShuffle")
def random_shuffle(write: NodeWriter, x: Value) -> Value:
    """Put the rows in a random order: that of random numbers."""
    count = write.vector(write.size(x, 0))
    _, order = write.TopK(uniform(write, count, 1), count, axis=0, outputs=2)
    return write.Gather(x, order, axis=0)


def uniform(write: NodeWriter, sizes: Value, dtype: int) -> Value:
    """Draw between 0 and 1."""
    return write.RandomUniformLike(spread(write, sizes), dtype=dtype)


def normal(write: NodeWriter, sizes: Value, dtype: int) -> Value:
    """Draw normal numbers."""
    return write.RandomNormalLike(spread(write, sizes), dtype=dtype)


def spread(write: NodeWriter, sizes: Value) -> str:
    """Return a tensor of these sizes, as a node: a known one would be a constant."""
    node = write.graph.make_node("Expand", [write.name(np.array(0, np.float32)), write.name(sizes)])
    name: str = node.output[0]
    return name


def integers(write: NodeWriter, sizes: Value, low: Value, high: Value) -> Value:
    """Draw integers from ``low`` to below ``high`` in double precision.

    Raises:
        NotTranslated: the range has more numbers than a double tells apart.
    """
    known = isinstance(low, np.ndarray) and isinstance(high, np.ndarray)
    if known and int(high) - int(low) > 2**53:
        raise NotTranslated("it draws from more than 2**53 integers")
    first, last = write.cast(low, np.float64), write.cast(high, np.float64)
    even = uniform(write, sizes, 11)
    drawn = write.Floor(write.Mul(even, write.Sub(last, first)))
    drawn = write.Min(drawn, write.Sub(write.Sub(last, first), np.array(1.0, np.float64)))
    return write.cast(write.Add(drawn, first), write.result_dtypes[0])
