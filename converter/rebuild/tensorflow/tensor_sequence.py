"""A sequence whose length is known at run time only, as a tensor list of TensorFlow's.

A sequence whose length is known while the graph is traced is a Python list. One that grows in a
loop, or that is cut into as many pieces as a value says, is a `TensorSequence`; it passes through
`tf.while_loop`, `tf.cond` and SavedModels.
"""

from __future__ import annotations

import functools

import tensorflow as tf

_OPEN = tf.TensorShape(None)


class TensorSequence(tf.experimental.ExtensionType):
    """Tensors of one dtype.

    Attributes:
        handle: scalar variant, the list itself.
        dtype: of every tensor.
        shape: what all of their shapes have in common.
    """

    __name__ = "equiport.TensorSequence"

    handle: tf.Tensor
    dtype: tf.DType
    shape: tf.TensorShape

    def length(self) -> tf.Tensor:
        """Return the number of tensors, int64."""
        return tf.cast(tf.raw_ops.TensorListLength(input_handle=self.handle), tf.int64)

    def __getitem__(self, position) -> tf.Tensor:
        position = tf.cast(tf.where(position < 0, position + self.length(), position), tf.int32)
        item = tf.raw_ops.TensorListGetItem(
            input_handle=self.handle, index=position, element_shape=-1, element_dtype=self.dtype
        )
        item.set_shape(self.shape)
        return item

    def appended(self, tensor: tf.Tensor) -> TensorSequence:
        """Return the sequence with one more tensor behind it."""
        handle = tf.raw_ops.TensorListPushBack(input_handle=self.handle, tensor=tensor)
        return TensorSequence(handle, self.dtype, common_shape([self.shape, tensor.shape]))

    def rebuilt(self, count: tf.Tensor, choose) -> TensorSequence:
        """Return ``choose(0), choose(1), ...``, ``count`` tensors of this sequence's dtype."""
        handle = empty(self.dtype, self.shape).handle
        loop = (tf.constant(0, tf.int64), handle)
        _, handle = tf.while_loop(
            lambda i, _: i < count,
            lambda i, h: (i + 1, tf.raw_ops.TensorListPushBack(input_handle=h, tensor=choose(i))),
            loop,
            (tf.TensorShape([]), tf.TensorShape([])),
        )
        return TensorSequence(handle, self.dtype, self.shape)

    def to_list(self) -> list[tf.Tensor]:
        """Return the tensors; outside of a `tf.function` only."""
        return [self[i] for i in range(int(self.length()))]


def empty(dtype: tf.DType, shape: tf.TensorShape = _OPEN) -> TensorSequence:
    """Return a sequence of no tensors."""
    handle = tf.raw_ops.EmptyTensorList(element_shape=-1, max_num_elements=-1, element_dtype=dtype)
    return TensorSequence(handle, dtype, shape)


def as_sequence(
    value: list[tf.Tensor] | TensorSequence, dtype: tf.DType = tf.float32, shape=None
) -> TensorSequence:
    """Return a list as a `TensorSequence`; ``dtype`` is what an empty one is of."""
    if isinstance(value, TensorSequence):
        return TensorSequence(value.handle, value.dtype, value.shape if shape is None else shape)
    found = common_shape([tensor.shape for tensor in value]) if shape is None else shape
    result = empty(value[0].dtype if value else dtype, found)
    for tensor in value:
        result = result.appended(tensor)
    return TensorSequence(result.handle, result.dtype, found)


def common_shape(shapes: list[tf.TensorShape]) -> tf.TensorShape:
    """Return the narrowest shape that all of them fit."""
    return functools.reduce(_common, shapes) if shapes else _OPEN


def _common(a: tf.TensorShape, b: tf.TensorShape) -> tf.TensorShape:
    if a.rank is None or a.rank != b.rank:
        return _OPEN
    return tf.TensorShape([x if x == y else None for x, y in zip(a, b, strict=True)])
