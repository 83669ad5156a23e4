"""Handlers of the room `controlflow`. Bodies are Python callables over captured values."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from converter.rebuild.tensorflow.shapes import dims, number
from converter.rebuild.tensorflow.table import op
from converter.rebuild.tensorflow.tensor_sequence import (
    TensorSequence,
    as_sequence,
    common_shape,
)


@op("If", since=1, either=("cond",))
def if_(cond, *, then_branch, else_branch):
    static = tf.get_static_value(cond) if isinstance(cond, tf.Tensor) else cond
    if static is not None:
        return then_branch() if bool(static) else else_branch()
    outputs = []

    def run(branch, sequences):
        results = tuple(branch())
        outputs.append(results)
        pairs = zip(results, sequences or [False] * len(results), strict=True)
        return tuple(as_sequence(r, shape=_ANY) if s else r for r, s in pairs)

    def choose(sequences):
        branches = (lambda b=b: run(b, sequences) for b in (then_branch, else_branch))
        results = tf.cond(tf.reshape(cond, ()), *branches)
        return tuple(results) if isinstance(results, list | tuple) else (results,)

    try:
        return choose(())
    except TypeError:  # the branches' structures differ
        if len(outputs) < 2:
            raise
        return choose(_sequences(*outputs))


_ANY = tf.TensorShape(None)


def _sequences(first, second):
    """Tell which outputs are sequences, which may be longer in one branch than in the other.

    Raises:
        NotImplementedError: an output is there in one branch and absent in the other.
    """
    if any((a is None) != (b is None) for a, b in zip(first, second, strict=True)):
        raise NotImplementedError("an optional whose presence is known at run time only")
    return [isinstance(a, list | TensorSequence) for a in first]


@op("Loop", since=1, either=("M", "cond"))
def loop(M, cond, *v_initial, body, n_outputs):
    """Run a body while it says so, at most ``M`` times; scan outputs grow in `tf.TensorArray`s."""
    limit = tf.get_static_value(M) if isinstance(M, tf.Tensor) else M
    going = tf.constant(True) if cond is None else tf.reshape(tf.cast(cond, tf.bool), ())
    if limit is not None and any(isinstance(value, list) for value in v_initial):
        results = _unrolled(int(limit), cond, v_initial, body, n_outputs)
        if results is not None:
            return results
    limit = 2**63 - 1 if M is None else tf.reshape(number(M, tf.int64), ())
    return _looped(limit, going, v_initial, body, n_outputs - len(v_initial))


def _unrolled(limit, cond, carried, body, n_outputs):
    """Write the steps one after the other; ``None`` if a value decides when to stop."""
    rows, count = [], len(carried)
    going = tf.constant(True if cond is None else cond)
    for i in range(limit):
        static = tf.get_static_value(going)
        if static is None:
            return None
        if not static:
            break
        results = body(tf.constant(i, tf.int64), going, *carried)
        going = results[0]
        carried, row = results[1 : 1 + count], results[1 + count :]
        rows.append(row)
    return (*carried, *(tf.stack([row[i] for row in rows]) for i in range(n_outputs - count)))


def _looped(limit, going, v_initial, body, n_scans):
    kinds, scans = _settled(body, list(map(_kind, v_initial)), n_scans)
    arrays = tuple(
        tf.TensorArray(spec.dtype, 0, True, infer_shape=False, element_shape=spec.shape)
        for spec in scans
    )

    def step(i, going, carried, arrays):
        results = body(i, going, *map(_unpacked, carried, kinds))
        position, rows = tf.cast(i, tf.int32), results[1 + len(kinds) :]
        written = tuple(a.write(position, r) for a, r in zip(arrays, rows, strict=True))
        following = tuple(map(_packed, results[1 : 1 + len(kinds)], kinds))
        return i + 1, tf.reshape(results[0], ()), following, written

    scalar = tf.TensorShape([])
    variables = (tf.constant(0, tf.int64), going, tuple(map(_packed, v_initial, kinds)), arrays)
    carried = tuple(k.shape if isinstance(k, tf.TensorSpec) else scalar for k in kinds)
    invariants = (scalar, scalar, carried, tuple(tf.TensorShape(None) for _ in arrays))
    _, _, carried, arrays = tf.while_loop(
        lambda i, going, *_: going & (i < limit), step, variables, invariants
    )
    return (*map(_unpacked, carried, kinds), *(array.stack() for array in arrays))


# ------------------------------------------------------------------ what a loop carries


class _Items(NamedTuple):
    """What is known of a carried sequence's tensors; nothing of an empty list's."""

    dtype: tf.DType | None = None
    shape: tf.TensorShape | None = None


def _kind(value):
    if isinstance(value, TensorSequence):
        return _Items(value.dtype, value.shape)
    if isinstance(value, list):
        shape = common_shape([tensor.shape for tensor in value])
        return _Items(value[0].dtype, shape) if value else _Items()
    return tf.TensorSpec(value.shape, value.dtype)


def _common(a, b):
    if isinstance(a, tf.TensorSpec):
        return tf.TensorSpec(common_shape([a.shape, b.shape]), a.dtype)
    shapes = [items.shape for items in (a, b) if items.shape is not None]
    return _Items(a.dtype or b.dtype, common_shape(shapes) if shapes else None)


def _packed(value, kind):
    """Return what a `tf.while_loop` can carry: a tensor, or a sequence's handle."""
    if isinstance(kind, tf.TensorSpec):
        return value
    return as_sequence(value, kind.dtype or tf.float32).handle


def _unpacked(value, kind):
    if isinstance(kind, tf.TensorSpec):
        return value
    return TensorSequence(value, kind.dtype, kind.shape) if kind.dtype else []


def _settled(body, kinds, n_scans):
    """Return kinds that every step keeps, and the specs of one row of each scan output.

    The body is traced apart for that, twice: a shape that the first step opens may open another.
    """
    for _ in range(2):
        results = []
        _trace(body, kinds, results)
        after = results[1 : 1 + len(kinds)]
        kinds = [_common(a, b) for a, b in zip(kinds, after, strict=True)]
    return kinds, results[len(results) - n_scans :] if n_scans else []


def _trace(body, kinds, results):
    def run(i, going, *carried):
        results.extend(map(_kind, body(i, going, *map(_unpacked, carried, kinds))))

    specs = [k if isinstance(k, tf.TensorSpec) else tf.TensorSpec([], tf.variant) for k in kinds]
    first = tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool)
    tf.function(run, autograph=False).get_concrete_function(*first, *specs)


@op("Scan", since=9)
def scan(
    *initial_state_and_scan_inputs,
    body,
    num_scan_inputs,
    scan_input_axes=None,
    scan_input_directions=None,
    scan_output_axes=None,
    scan_output_directions=None,
    n_outputs,
):
    values = initial_state_and_scan_inputs
    states = values[: len(values) - num_scan_inputs]
    inputs = values[len(values) - num_scan_inputs :]
    axes = scan_input_axes or (0,) * num_scan_inputs
    backwards = scan_input_directions or (0,) * num_scan_inputs
    columns = [_to_front(x, axis) for x, axis in zip(inputs, axes, strict=True)]
    columns = [
        tf.reverse(x, [0]) if back else x for x, back in zip(columns, backwards, strict=True)
    ]

    def step(i, going, *states):
        results = body(*states, *(x[i] for x in columns))
        return (going, *results)

    length = tf.shape(columns[0], tf.int64)[0]
    results = loop(length, True, *states, body=step, n_outputs=n_outputs)
    states, rows = results[: len(states)], results[len(states) :]
    axes = scan_output_axes or (0,) * len(rows)
    backwards = scan_output_directions or (0,) * len(rows)
    rows = [tf.reverse(x, [0]) if back else x for x, back in zip(rows, backwards, strict=True)]
    return (*states, *(_from_front(x, axis) for x, axis in zip(rows, axes, strict=True)))


def _to_front(x, axis):
    rank = x.shape.rank
    axis %= rank
    return x if axis == 0 else tf.transpose(x, [axis, *(i for i in range(rank) if i != axis)])


def _from_front(x, axis):
    rank = x.shape.rank
    axis %= rank
    if axis == 0:
        return x
    order = list(range(1, rank))
    order.insert(axis, 0)
    return tf.transpose(x, order)


@op("Scan", since=8)
def scan_8(
    sequence_lens=None,
    *initial_state_and_scan_inputs,
    body,
    directions=None,
    num_scan_inputs,
    n_outputs,
):
    """Scan each batch over its own length; the batch comes first, the sequence second."""
    values = initial_state_and_scan_inputs
    split = len(values) - num_scan_inputs
    batch, longest = dims(values[split])[:2]
    if isinstance(batch, tf.Tensor):
        raise NotImplementedError("Scan of opset 8 with an open number of batches")
    rows = []
    for i in range(batch):
        length = longest if sequence_lens is None else sequence_lens[i]
        results = scan(
            *(x[i] for x in values[:split]),
            *(x[i, :length] for x in values[split:]),
            body=body,
            num_scan_inputs=num_scan_inputs,
            scan_input_directions=directions,
            n_outputs=n_outputs,
        )
        rows.append([*results[:split], *(_prolonged(x, longest) for x in results[split:])])
    return tuple(tf.stack(column) for column in zip(*rows, strict=True))


def _prolonged(x, length):
    missing = tf.cast(length, tf.int32) - tf.shape(x)[0]
    return tf.pad(x, tf.stack([[0, missing], *[[0, 0]] * (x.shape.rank - 1)]))
