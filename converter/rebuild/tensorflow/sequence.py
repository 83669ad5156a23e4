"""Handlers of the rooms `sequence` and `optional`.

A sequence is a Python list of tensors, or a `TensorSequence` where its length is open.
"""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.tensorflow.dtypes import to_framework
from converter.rebuild.tensorflow.shapes import axis_of, dims
from converter.rebuild.tensorflow.table import op
from converter.rebuild.tensorflow.tensor_sequence import TensorSequence, empty


def _position(position):
    """Return a position as an integer, or as a scalar tensor where it is open."""
    position = position[0] if isinstance(position, tuple) else position
    return position if isinstance(position, tf.Tensor) else int(position)


@op("SequenceEmpty", since=11)
def sequence_empty(*, dtype=1):
    to_framework(dtype)  # refuses what no tensor can have
    return []


@op("SequenceConstruct", since=11)
def sequence_construct(*inputs):
    return list(inputs)


@op("SequenceAt", since=11, host=("position",))
def sequence_at(input_sequence, position):
    at = _position(position)
    if isinstance(input_sequence, TensorSequence) or isinstance(at, int):
        return input_sequence[at]
    at = tf.where(at < 0, at + len(input_sequence), at)
    return tf.switch_case(tf.cast(at, tf.int32), [lambda t=t: t for t in input_sequence])


@op("SequenceInsert", since=11, host=("position",))
def sequence_insert(input_sequence, tensor, position=None):
    if isinstance(input_sequence, TensorSequence):
        return _inserted(input_sequence, tensor, position)
    result = list(input_sequence)
    at = len(result) if position is None else _position(position)
    if isinstance(at, int):
        result.insert(at, tensor)
        return result
    at = tf.cast(tf.where(at < 0, at + len(result), at), tf.int32)
    padded = [tensor, *result, tensor]
    return [
        # What comes before the place, the new one, or what has moved by one.
        tf.switch_case(
            tf.cast(tf.sign(i - at) + 1, tf.int32),
            [lambda i=i: padded[i + 1], lambda: tensor, lambda i=i: padded[i]],
        )
        for i in range(len(result) + 1)
    ]


def _inserted(sequence, tensor, position):
    if position is None:
        return sequence.appended(tensor)
    at, count = _position(position), sequence.length()
    at = tf.cast(at + count if isinstance(at, int) and at < 0 else at, tf.int64)
    at = tf.where(at < 0, at + count, at)
    choose = lambda i: tf.cond(  # noqa: E731
        i == at, lambda: tensor, lambda: sequence[i - tf.cast(i > at, tf.int64)]
    )
    wider = TensorSequence(sequence.handle, sequence.dtype, sequence.appended(tensor).shape)
    return wider.rebuilt(count + 1, choose)


@op("SequenceErase", since=11, host=("position",))
def sequence_erase(input_sequence, position=None):
    at = -1 if position is None else _position(position)
    if isinstance(input_sequence, TensorSequence):
        count = input_sequence.length()
        at = tf.cast(at, tf.int64)
        at = tf.where(at < 0, at + count, at)
        skipped = lambda i: input_sequence[i + tf.cast(i >= at, tf.int64)]  # noqa: E731
        return input_sequence.rebuilt(count - 1, skipped)
    result = list(input_sequence)
    if isinstance(at, int):
        del result[at]
        return result
    at = tf.where(at < 0, at + len(result), at)
    pairs = zip(result[:-1], result[1:], strict=True)
    return [tf.cond(i < at, lambda a=a: a, lambda b=b: b) for i, (a, b) in enumerate(pairs)]


@op("SequenceLength", since=11)
def sequence_length(input_sequence):
    if isinstance(input_sequence, TensorSequence):
        return input_sequence.length()
    return tf.constant(len(input_sequence), tf.int64)


@op("SplitToSequence", since=11, host=("split",))
def split_to_sequence(input, split=None, *, axis=0, keepdims=1):
    axis = axis_of(axis, input.shape.rank)
    size = dims(input)[axis]
    if split is None:
        split = 1
    elif isinstance(split, tuple):
        return _pieces(input, split, axis)
    else:
        keepdims = 1
    if isinstance(split, tf.Tensor) or isinstance(size, tf.Tensor):
        return _open_pieces(input, split, axis, size, keepdims)
    sizes = [min(split, size - i) for i in range(0, size, split)]
    pieces = _pieces(input, sizes, axis)
    return pieces if keepdims else [tf.squeeze(piece, axis) for piece in pieces]


def _pieces(x, sizes, axis):
    begin, pieces = 0, []
    for size in sizes:
        pieces.append(x[(slice(None),) * axis + (slice(begin, begin + size),)])
        begin = begin + size
    return pieces


def _open_pieces(x, split, axis, size, keepdims):
    """Cut into as many pieces as a value says; ``split`` is a size, or a vector of them."""
    size = tf.cast(size, tf.int64)
    if isinstance(split, tf.Tensor) and split.shape.rank == 1:
        ends = tf.cumsum(tf.cast(split, tf.int64))
        begins, count = ends - tf.cast(split, tf.int64), tf.size(ends, tf.int64)
    else:
        step = tf.cast(split, tf.int64)
        begins = tf.range(0, size, step)
        ends, count = tf.minimum(begins + step, size), tf.size(begins, tf.int64)

    def piece(i):
        part = x[(slice(None),) * axis + (slice(begins[i], ends[i]),)]
        return part if keepdims else tf.squeeze(part, axis)

    shape = [None if i == axis else n for i, n in enumerate(x.shape) if keepdims or i != axis]
    return empty(x.dtype, tf.TensorShape(shape)).rebuilt(count, piece)


@op("ConcatFromSequence", since=11)
def concat_from_sequence(input_sequence, *, axis, new_axis=0):
    if isinstance(input_sequence, list):
        return tf.stack(input_sequence, axis) if new_axis else tf.concat(input_sequence, axis)
    first = input_sequence[tf.constant(0, tf.int64)]
    widen = (lambda t: tf.expand_dims(t, axis)) if new_axis else (lambda t: t)
    first = widen(first)
    axis = axis_of(axis, first.shape.rank)
    grown = [None if i == axis else size for i, size in enumerate(first.shape)]
    return tf.while_loop(
        lambda i, _: i < input_sequence.length(),
        lambda i, x: (i + 1, tf.concat([x, widen(input_sequence[i])], axis)),
        (tf.constant(1, tf.int64), first),
        (tf.TensorShape([]), tf.TensorShape(grown)),
    )[1]


@op("Optional", since=15)
def optional(input=None, *, type=None):
    return input


@op("OptionalHasElement", since=15)
def optional_has_element(input=None):
    return tf.constant(input is not None)


@op("OptionalGetElement", since=15)
def optional_get_element(input):
    if input is None:
        raise ValueError("OptionalGetElement of an absent optional")
    return input
