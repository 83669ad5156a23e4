"""Running products and running sums of exponentials along one axis."""

from __future__ import annotations

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, Value, Writer


@translates("Cumprod")
def cumprod(write: NodeWriter, x: Value, axis: Value) -> Value:
    """Product of everything up to here, or before here if ``exclusive``."""
    return running(write, x, axis, write.like(1, x), lambda own, a, b: own.Mul(a, b))


@translates("CumulativeLogsumexp")
def cumulative_logsumexp(write: NodeWriter, x: Value, axis: Value) -> Value:
    """Logarithm of the sum of exponentials up to here; of nothing, minus infinity."""
    return running(write, x, axis, write.like(-np.inf, x), add_exponentials)


def add_exponentials(write: Writer, a: Value, b: Value) -> Value:
    """``log(exp(a) + exp(b))`` from the larger one, so that nothing overflows."""
    larger, smaller = write.Max(a, b), write.Min(a, b)
    rest = write.Log(write.Add(write.Exp(write.Sub(smaller, larger)), write.like(1, larger)))
    same = write.Equal(smaller, larger)  # also where both are infinite
    both = write.Add(larger, write.like(np.log(2), larger))
    return write.Where(same, both, write.Add(larger, rest))


def running(write: NodeWriter, x: Value, axis: Value, start: np.ndarray, combine) -> Value:
    """Scan along an axis from either end; the row itself counts unless ``exclusive``."""
    number = int(write.known(axis, "the axis")) % write.rank(x)
    exclusive = bool(write.attribute("exclusive", 0))
    rows = write.vector(write.sizes(x, 0, number), write.sizes(x, number + 1))

    def step(own: Writer, state: list[str], row: list[str]) -> tuple[Value, Value]:
        done = combine(own, state[0], row[0])
        return done, state[0] if exclusive else done

    state = write.filled(start, rows)
    return write.scan(step, state, x, number, bool(write.attribute("reverse", 0)))
