"""Handlers of the rooms `sequence` and `optional`: a sequence is a Python list of tensors."""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.tensorflow.table import op


def _position(position, length):
    static = position[0] if isinstance(position, tuple) else position
    if isinstance(static, tf.Tensor):
        static = tf.get_static_value(static)
    if static is None:
        raise NotImplementedError("a position in a sequence that is known at run time only")
    return int(static)


@op("SequenceEmpty", since=11)
def sequence_empty(*, dtype=1):
    return []


@op("SequenceConstruct", since=11)
def sequence_construct(*inputs):
    return list(inputs)


@op("SequenceAt", since=11, host=("position",))
def sequence_at(input_sequence, position):
    item = position[0] if isinstance(position, tuple) else position
    if isinstance(item, tf.Tensor):
        index = tf.cast(tf.where(item < 0, item + len(input_sequence), item), tf.int32)
        return tf.switch_case(index, [lambda t=t: t for t in input_sequence])
    return input_sequence[int(item)]


@op("SequenceInsert", since=11, host=("position",))
def sequence_insert(input_sequence, tensor, position=None):
    result = list(input_sequence)
    at = len(result) if position is None else _position(position, len(result))
    result.insert(at, tensor)
    return result


@op("SequenceErase", since=11, host=("position",))
def sequence_erase(input_sequence, position=None):
    result = list(input_sequence)
    del result[-1 if position is None else _position(position, len(result))]
    return result


@op("SequenceLength", since=11)
def sequence_length(input_sequence):
    return tf.constant(len(input_sequence), tf.int64)


@op("SplitToSequence", since=11, host=("split",))
def split_to_sequence(input, split=None, *, axis=0, keepdims=1):
    if split is None:
        pieces = tf.unstack(input, axis=axis)
        return [tf.expand_dims(piece, axis) if keepdims else piece for piece in pieces]
    if isinstance(split, int):
        size = input.shape[axis]
        split = [min(split, size - i) for i in range(0, size, split)]
    return list(tf.split(input, list(split), axis))


@op("ConcatFromSequence", since=11)
def concat_from_sequence(input_sequence, *, axis, new_axis=0):
    return tf.stack(input_sequence, axis) if new_axis else tf.concat(input_sequence, axis)


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
