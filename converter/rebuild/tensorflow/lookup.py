"""Tables from keys to values as constants of the graph.

TensorFlow's own hash tables are resources, which a module would have to own; a sorted constant and
a search need nothing but the graph. Strings are searched by a hash of theirs and then compared.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from converter.rebuild.tensorflow.dtypes import from_numpy


def lookup(x, keys, values, default):
    """Replace each element by the value of its key.

    Args:
        x: numbers or strings, any shape.
        keys: as many as ``values``; a later entry of a key replaces an earlier one.
        values: NumPy array of numbers, or of strings (dtype object).
        default: for an element that is no key.
    """
    if x.dtype != tf.string and x.dtype.is_floating:
        return _lookup_floats(x, keys, values, default)
    table = dict(zip(keys, range(len(keys)), strict=True))
    rows = np.array(list(table.values()))
    if x.dtype == tf.string:
        texts = [key.encode() for key in table]
        codes, buckets = _hashes(texts)
        order = np.argsort(codes)
        place = _search(codes[order], tf.strings.to_hash_bucket_fast(x, buckets))
        found = tf.gather(tf.constant([texts[i] for i in order]), place) == x
    else:
        numbers = np.array(list(table), dtype=np.int64)
        order = np.argsort(numbers)
        wide = tf.cast(x, tf.int64)
        place = _search(numbers[order], wide)
        found = tf.gather(tf.constant(numbers[order]), place) == wide
    return _chosen(found, place, values[rows[order]], default)


def _lookup_floats(x, keys, values, default):
    """NaN is a key like any other."""
    table = {("nan" if key != key else key): i for i, key in enumerate(keys)}
    nan = table.pop("nan", None)
    numbers = np.array(list(table) or [np.inf], dtype=x.dtype.as_numpy_dtype)
    rows = np.array(list(table.values()) or [0])
    order = np.argsort(numbers)
    place = _search(numbers[order], x)
    found = (tf.gather(tf.constant(numbers[order]), place) == x) & bool(table)
    result = _chosen(found, place, values[rows[order]], default)
    if nan is None:
        return result
    return tf.where(tf.math.is_nan(x), from_numpy(values[nan : nan + 1])[0], result)


def _hashes(texts):
    """Return a hash of each text and the number of buckets for which no two are the same."""
    buckets, codes = 2**62, np.zeros(0)
    with tf.init_scope():
        while len(np.unique(codes)) < len(texts):
            buckets -= 1
            codes = tf.strings.to_hash_bucket_fast(tf.constant(texts), buckets).numpy()
    return codes, buckets


def _search(ordered, x):
    flat = tf.searchsorted(tf.constant(ordered), tf.reshape(x, [-1]))
    return tf.reshape(tf.minimum(flat, len(ordered) - 1), tf.shape(x))


def _chosen(found, place, values, default):
    column = from_numpy(values)
    blank = tf.constant(default, column.dtype)
    return tf.where(found, tf.gather(column, place), blank)
