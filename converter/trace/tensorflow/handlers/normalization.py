"""Batch normalisation, with statistics in float32 whatever the type of the images."""

from __future__ import annotations

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, Value


@translates("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def batch_norm(
    write: NodeWriter, x: Value, scale: Value, offset: Value, mean: Value, variance: Value
) -> tuple[Value | None, ...]:
    """Normalise by running statistics, or (in training) by the batch's own; those come out too."""
    epsilon = float(write.attribute("epsilon", 1e-4))
    last = not write.attribute("data_format", "NHWC").startswith("NC")
    first = to_front(write, x) if last else x
    if not write.attribute("is_training", 1):
        done = write.BatchNormalization(
            in_type(write, first, scale), scale, offset, mean, variance, epsilon=epsilon
        )
        done = write.cast(done, write.element(x))
        done = to_back(write, done) if last else done
        return done, mean, variance, mean, variance
    wide = in_type(write, first, scale)
    axes = [axis for axis in range(write.rank(x)) if axis != 1]
    own_mean = write.ReduceMean(wide, axes, keepdims=1)
    away = write.Sub(wide, own_mean)
    own_variance = write.ReduceMean(write.Mul(away, away), axes, keepdims=1)
    channels = [1, -1] + [1] * (write.rank(x) - 2)
    root = write.Sqrt(write.Add(own_variance, write.like(epsilon, scale)))
    normal = write.Div(away, root)
    done = write.Add(
        write.Mul(normal, write.Reshape(scale, channels)), write.Reshape(offset, channels)
    )
    done = write.cast(done, write.element(x))
    done = to_back(write, done) if last else done
    batch_mean, batch_variance = write.Reshape(own_mean, [-1]), write.Reshape(own_variance, [-1])
    count = write.cast(
        write.Div(write.Size(x), write.size(x, -1 if last else 1)), write.element(scale)
    )
    one = write.like(1, scale)
    unbiased = write.Mul(batch_variance, write.Div(count, write.Max(write.Sub(count, one), one)))
    factor = float(write.attribute("exponential_avg_factor", 1.0))
    if factor != 1.0:
        batch_mean = mixed(write, mean, batch_mean, factor)
        unbiased = mixed(write, variance, unbiased, factor)
    return done, batch_mean, unbiased, batch_mean, unbiased


def mixed(write: NodeWriter, old: Value, new: Value, factor: float) -> Value:
    """Return the running statistic after one batch."""
    return write.Add(
        write.Mul(old, write.like(1 - factor, old)), write.Mul(new, write.like(factor, new))
    )


def in_type(write: NodeWriter, x: Value, scale: Value) -> Value:
    """Cast images to the type of the statistics."""
    return write.cast(x, write.element(scale))


def to_front(write: NodeWriter, x: Value) -> Value:
    """Move the channels from the last axis to the second."""
    rank = write.rank(x)
    return write.Transpose(x, perm=[0, rank - 1, *range(1, rank - 1)])


def to_back(write: NodeWriter, x: Value) -> Value:
    """Move the channels from the second axis to the last."""
    rank = write.rank(x)
    return write.Transpose(x, perm=[0, *range(2, rank), 1])


@translates("BiasAdd")
def bias_add(write: NodeWriter, x: Value, bias: Value) -> Value:
    """Add one number to each channel, which is the last axis or the second."""
    if write.attribute("data_format", "NHWC").startswith("NC"):
        bias = write.Reshape(bias, [-1] + [1] * (write.rank(x) - 2))
    return write.Add(x, bias)
