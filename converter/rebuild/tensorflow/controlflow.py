"""Handlers of the room `controlflow`. Bodies are Python callables over captured values."""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.tensorflow.table import op


@op("If", since=1, either=("cond",))
def if_(cond, *, then_branch, else_branch):
    static = tf.get_static_value(cond) if isinstance(cond, tf.Tensor) else cond
    if static is not None:
        return then_branch() if bool(static) else else_branch()
    results = tf.cond(tf.reshape(cond, ()), lambda: tuple(then_branch()), lambda: tuple(else_branch()))
    return tuple(results) if isinstance(results, list | tuple) else (results,)


def _open_shape(value):
    return tf.TensorShape([None] * value.shape.rank) if value.shape.rank is not None else value.shape


@op("Loop", since=1, either=("M", "cond"))
def loop(M, cond, *v_initial, body, n_outputs):
    """Run a body while it says so, at most ``M`` times; scan outputs grow in `tf.TensorArray`s."""
    limit = tf.constant(2**63 - 1, tf.int64) if M is None else tf.reshape(tf.cast(M, tf.int64), ())
    going = tf.constant(True) if cond is None else tf.reshape(tf.cast(cond, tf.bool), ())
    count = len(v_initial)
    lists = any(isinstance(value, list) for value in v_initial)
    static_limit = tf.get_static_value(limit)
    if lists:
        if M is None or static_limit is None:
            raise NotImplementedError("Loop that carries a sequence and has no fixed trip count")
        return _unrolled(int(static_limit), going, v_initial, body, n_outputs)
    scans = _scan_specs(body, going, v_initial, n_outputs - count)
    arrays = tuple(
        tf.TensorArray(spec.dtype, 0, True, infer_shape=False, element_shape=spec.shape)
        for spec in scans
    )

    def step(i, going, carried, arrays):
        results = body(i, going, *carried)
        rows = results[1 + count :]
        position = tf.cast(i, tf.int32)
        written = tuple(a.write(position, r) for a, r in zip(arrays, rows, strict=True))
        return i + 1, tf.reshape(results[0], ()), tuple(results[1 : 1 + count]), written

    variables = (tf.constant(0, tf.int64), going, tuple(v_initial), arrays)
    invariants = (
        tf.TensorShape([]),
        tf.TensorShape([]),
        tuple(_invariant(body, going, v_initial, i) for i in range(count)),
        tuple(tf.TensorShape(None) for _ in arrays),
    )
    _, _, carried, arrays = tf.while_loop(
        lambda i, going, *_: going & (i < limit), step, variables, invariants
    )
    return (*carried, *(array.stack() for array in arrays))


def _probe(body, going, v_initial):
    """Trace the body once, apart, for the shapes and dtypes that it gives."""
    specs = [tf.TensorSpec(v.shape, v.dtype) for v in v_initial]
    probe = tf.function(
        lambda i, g, *v: tuple(tf.convert_to_tensor(r) for r in body(i, g, *v)), autograph=False
    )
    concrete = probe.get_concrete_function(tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool), *specs)
    return concrete.structured_outputs


def _scan_specs(body, going, v_initial, count):
    outputs = _probe(body, going, v_initial)
    return outputs[len(outputs) - count :] if count else ()


def _invariant(body, going, v_initial, index):
    """Keep the sizes of a carried value that its first step keeps."""
    before = v_initial[index].shape
    after = _probe(body, going, v_initial)[1 + index].shape
    if before.rank is None or after.rank != before.rank:
        return tf.TensorShape(None)
    return tf.TensorShape([a if a == b else None for a, b in zip(before, after, strict=True)])


def _unrolled(limit, going, carried, body, n_outputs):
    rows, count = [], len(carried)
    for i in range(limit):
        results = body(tf.constant(i, tf.int64), going, *carried)
        going = results[0]
        static = tf.get_static_value(going)
        if static is None:
            raise NotImplementedError("Loop that carries a sequence and stops on a value")
        carried, row = results[1 : 1 + count], results[1 + count :]
        rows.append(row)
        if not static:
            break
    return (*carried, *(tf.stack([row[i] for row in rows]) for i in range(n_outputs - count)))


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
    columns = [tf.reverse(x, [0]) if back else x for x, back in zip(columns, backwards, strict=True)]

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
