"""Handlers of the room `rnn`.

The projection of all inputs is one product outside the loop; the loop itself is a `tf.while_loop`
over the time steps, whose length may be open. Gradients flow through it.
"""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from converter.rebuild.tensorflow.table import op

_PLAIN = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}


@op("RNN", since=7)
def rnn(
    X,
    W,
    R,
    B=None,
    sequence_lens=None,
    initial_h=None,
    *,
    activation_alpha=None,
    activation_beta=None,
    activations=None,
    clip=None,
    direction="forward",
    hidden_size=None,
    layout=0,
):
    layer = _Layer("RNN", direction, activations, activation_alpha, activation_beta, clip, layout)
    return layer.run(X, W, R, B, sequence_lens, (initial_h,))


@op("GRU", since=7)
def gru(
    X,
    W,
    R,
    B=None,
    sequence_lens=None,
    initial_h=None,
    *,
    activation_alpha=None,
    activation_beta=None,
    activations=None,
    clip=None,
    direction="forward",
    hidden_size=None,
    layout=0,
    linear_before_reset=0,
):
    layer = _Layer("GRU", direction, activations, activation_alpha, activation_beta, clip, layout)
    layer.linear_before_reset = linear_before_reset
    return layer.run(X, W, R, B, sequence_lens, (initial_h,))


@op("LSTM", since=7)
def lstm(
    X,
    W,
    R,
    B=None,
    sequence_lens=None,
    initial_h=None,
    initial_c=None,
    P=None,
    *,
    activation_alpha=None,
    activation_beta=None,
    activations=None,
    clip=None,
    direction="forward",
    hidden_size=None,
    input_forget=0,
    layout=0,
):
    layer = _Layer("LSTM", direction, activations, activation_alpha, activation_beta, clip, layout)
    layer.input_forget, layer.peepholes = input_forget, P
    return layer.run(X, W, R, B, sequence_lens, (initial_h, initial_c))


class _Layer:
    """One recurrent operator, in one or two directions."""

    linear_before_reset = 0
    input_forget = 0
    peepholes = None

    def __init__(self, kind, direction, activations, alpha, beta, clip, layout):
        self.kind, self.direction, self.clip, self.layout = kind, direction, clip, layout
        self.directions = 2 if direction == "bidirectional" else 1
        names = tuple(activations or _PLAIN[kind] * self.directions)
        self.functions = _activations(names, list(alpha or ()), list(beta or ()))

    def run(self, x, w, r, b, lengths, states):
        if self.layout:
            x = tf.transpose(x, [1, 0, 2])
            states = [None if s is None else tf.transpose(s, [1, 0, 2]) for s in states]
        hidden = r.shape[-1]
        zeros = tf.zeros([self.directions, tf.shape(x)[1], hidden], x.dtype)
        zeros.set_shape([self.directions, x.shape[1], hidden])
        states = [zeros if s is None else s for s in states]
        outputs, lasts = [], []
        for d in range(self.directions):
            reverse = self.direction == "reverse" or d == 1
            source = _reversed(x, lengths) if reverse else x
            wb, rb = (0, 0) if b is None else tf.split(b[d], 2)
            projected = tf.tensordot(source, w[d], [[2], [1]]) + wb
            step = partial(self.step(), d, r[d], rb)
            y, last = _run_steps(step, projected, [s[d] for s in states], lengths, hidden)
            outputs.append(_reversed(y, lengths) if reverse else y)
            lasts.append(last)
        y = tf.stack(outputs, 1)
        last = [tf.stack(column) for column in zip(*lasts, strict=True)]
        if self.layout:
            return tf.transpose(y, [2, 0, 1, 3]), *(tf.transpose(s, [1, 0, 2]) for s in last)
        return y, *last

    def step(self):
        return {"RNN": self.rnn_step, "GRU": self.gru_step, "LSTM": self.lstm_step}[self.kind]

    def bound(self, x):
        return x if self.clip is None else tf.clip_by_value(x, -self.clip, self.clip)

    def rnn_step(self, d, r, rb, x, h):
        return (self.functions[d](self.bound(x + _linear(h, r) + rb)),)

    def gru_step(self, d, r, rb, x, h):
        f, g = self.functions[2 * d : 2 * d + 2]
        bias = rb if isinstance(rb, tf.Tensor) else tf.zeros(r.shape[0], x.dtype)
        xz, xr, xh = tf.split(x, 3, -1)
        if self.linear_before_reset:
            hz, hr, hh = tf.split(_linear(h, r) + bias, 3, -1)
            z, reset = f(self.bound(xz + hz)), f(self.bound(xr + hr))
            new = g(self.bound(xh + reset * hh))
            return ((1 - z) * new + z * h,)
        rzr, rh = r[: 2 * h.shape[-1]], r[2 * h.shape[-1] :]
        bzr, bh = bias[: 2 * h.shape[-1]], bias[2 * h.shape[-1] :]
        hz, hr = tf.split(_linear(h, rzr) + bzr, 2, -1)
        z, reset = f(self.bound(xz + hz)), f(self.bound(xr + hr))
        new = g(self.bound(xh + _linear(reset * h, rh) + bh))
        return ((1 - z) * new + z * h,)

    def lstm_step(self, d, r, rb, x, h, c):
        f, g, out = self.functions[3 * d : 3 * d + 3]
        i, o, forget, new = tf.split(x + _linear(h, r) + rb, 4, -1)
        if self.peepholes is not None:
            pi, po, pf = tf.split(self.peepholes[d], 3)
            i, forget = i + pi * c, forget + pf * c
        i = f(self.bound(i))
        forget = 1 - i if self.input_forget else f(self.bound(forget))
        c = forget * c + i * g(self.bound(new))
        if self.peepholes is not None:
            o = o + po * c
        return f(self.bound(o)) * out(c), c


def _linear(h, r):
    return tf.matmul(h, r, transpose_b=True)


def _run_steps(step, projected, states, lengths, hidden):
    """Run ``step`` over time; returns ``[length, batch, hidden]`` and the last states."""
    length = tf.shape(projected)[0]
    shape = [projected.shape[1], hidden]
    rows = tf.TensorArray(projected.dtype, length, element_shape=shape)

    def body(t, rows, *states):
        new = step(projected[t], *states)
        row = new[0]
        if lengths is not None:
            alive = (t < tf.cast(lengths, tf.int32))[:, None]
            row = tf.where(alive, row, tf.zeros_like(row))
            new = [tf.where(alive, a, s) for a, s in zip(new, states, strict=True)]
        return t + 1, rows.write(t, row), *new

    invariants = (
        tf.TensorShape([]),
        tf.TensorShape(None),
        *(tf.TensorShape(shape) for _ in states),
    )
    _, rows, *states = tf.while_loop(
        lambda t, *_: t < length, body, (tf.constant(0), rows, *states), invariants
    )
    y = rows.stack()
    y.set_shape([projected.shape[0], *shape])
    return y, states


def _reversed(x, lengths):
    """Reverse in time; each sequence within its own length."""
    return tf.reverse(x, [0]) if lengths is None else tf.reverse_sequence(x, lengths, 0, 1)


_DEFAULTS = {
    "LeakyRelu": (0.01, 0.0),
    "Elu": (1.0, 0.0),
    "HardSigmoid": (0.2, 0.5),
    "ThresholdedRelu": (1.0, 0.0),
    "Affine": (1.0, 0.0),
    "ScaledTanh": (1.0, 1.0),
}
_TWO = frozenset({"HardSigmoid", "Affine", "ScaledTanh"})

_ACTIVATIONS = {
    "Relu": lambda x, a, b: tf.nn.relu(x),
    "Tanh": lambda x, a, b: tf.tanh(x),
    "Sigmoid": lambda x, a, b: tf.sigmoid(x),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: tf.nn.leaky_relu(x, a),
    "ThresholdedRelu": lambda x, a, b: tf.where(x > a, x, tf.zeros_like(x)),
    "ScaledTanh": lambda x, a, b: a * tf.tanh(b * x),
    "HardSigmoid": lambda x, a, b: tf.clip_by_value(a * x + b, 0, 1),
    "Elu": lambda x, a, b: tf.where(x < 0, a * tf.math.expm1(tf.minimum(x, 0)), x),
    "Softsign": lambda x, a, b: tf.math.softsign(x),
    "Softplus": lambda x, a, b: tf.math.softplus(x),
}


def _activations(names, alphas, betas):
    """Bind each activation's own parameters; they are listed only for those that take them."""
    functions = []
    for name in names:
        if name not in _ACTIVATIONS:
            raise NotImplementedError(f"activation {name!r}")
        alpha, beta = _DEFAULTS.get(name, (0.0, 0.0))
        if name in _DEFAULTS and alphas:
            alpha = alphas.pop(0)
        if name in _TWO and betas:
            beta = betas.pop(0)
        functions.append(partial(_ACTIVATIONS[name], a=alpha, b=beta))
    return functions
