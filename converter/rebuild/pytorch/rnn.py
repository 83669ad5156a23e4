"""Handlers of the room `rnn`.

Where the configuration is the one that PyTorch's kernels compute, they are used; anything else
(peepholes, clipping, other activations, lengths per sequence) goes step by step.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch._higher_order_ops import scan as torch_scan

from converter.rebuild.host_values import is_plain
from converter.rebuild.pytorch.controlflow import lasts_an_open_time
from converter.rebuild.pytorch.table import op

_PLAIN = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}

# ONNX's gate order -> PyTorch's: LSTM i,o,f,c -> i,f,g,o; GRU z,r,h -> r,z,n.
_ORDER = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}


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
        self.plain = names == _PLAIN[kind] * self.directions
        self.relu = kind == "RNN" and names == ("Relu",) * self.directions
        self.functions = _activations(names, list(alpha or ()), list(beta or ()))

    def run(self, x, w, r, b, lengths, states):
        if self.layout:
            x = x.transpose(0, 1)
            states = tuple(None if s is None else s.transpose(0, 1) for s in states)
        hidden = r.shape[-1]
        zeros = x.new_zeros(self.directions, x.shape[1], hidden)
        states = tuple(zeros if s is None else s for s in states)
        if b is None:
            b = w.new_zeros(self.directions, 2 * w.shape[1])
        nothing = is_plain(x.shape[0]) and x.shape[0] == 0  # which PyTorch's kernel refuses
        if self.has_kernel(lengths) and not nothing and not lasts_an_open_time(x.shape[0]):
            y, last = self.kernel(x, w, r, b, states)
        else:
            y, last = self.steps(x, w, r, b, lengths, states)
        if self.layout:
            return y.permute(2, 0, 1, 3), *(state.transpose(0, 1) for state in last)
        return y, *last

    def has_kernel(self, lengths):
        plain = (self.plain or self.relu) and lengths is None and self.clip is None
        plain = plain and self.peepholes is None and not self.input_forget
        return plain and (self.kind != "GRU" or bool(self.linear_before_reset))

    def kernel(self, x, w, r, b, states):
        """Run PyTorch's kernel; returns ``[length, directions, batch, hidden]``."""
        hidden = r.shape[-1]
        order = _ORDER[self.kind]
        backward = self.direction == "reverse"
        weights = []
        for d in range(self.directions):
            wb, rb = b[d].chunk(2)
            weights += [_gates(t, order, hidden) for t in (w[d], r[d], wb, rb)]
        function = getattr(torch, self.kernel_name())
        state = tuple(states) if self.kind == "LSTM" else states[0]
        x = x.flip(0) if backward else x
        two = self.directions == 2
        y, *last = function(x, state, weights, True, 1, 0.0, False, two, False)
        y = y.reshape(*y.shape[:2], self.directions, hidden).transpose(1, 2)
        return (y.flip(0) if backward else y), last

    def kernel_name(self):
        if self.kind == "RNN":
            return "rnn_relu" if self.relu else "rnn_tanh"
        return self.kind.lower()

    def steps(self, x, w, r, b, lengths, states):
        outputs, lasts = [], []
        for d in range(self.directions):
            reverse = self.direction == "reverse" or d == 1
            state = tuple(s[d] for s in states)
            source = _reversed(x, lengths) if reverse else x
            wb, rb = b[d].chunk(2)
            projected = F.linear(source, w[d], wb)
            step = partial(self.step(), d, r[d], rb)
            if lasts_an_open_time(x.shape[0]):
                y, state = _in_the_graph(step, projected, state, lengths)
                outputs.append(_reversed(y, lengths) if reverse else y)
                lasts.append(state)
                continue
            rows = []
            for t in range(x.shape[0]):
                new = step(projected[t], *state)
                if lengths is not None:
                    alive = (t < lengths)[:, None]
                    rows.append(torch.where(alive, new[0], torch.zeros_like(new[0])))
                    new = tuple(torch.where(alive, a, s) for a, s in zip(new, state, strict=True))
                else:
                    rows.append(new[0])
                state = new
            y = torch.stack(rows) if rows else x.new_zeros((0, *state[0].shape))
            outputs.append(_reversed(y, lengths) if reverse else y)
            lasts.append(state)
        last = [torch.stack(column) for column in zip(*lasts, strict=True)]
        return torch.stack(outputs, 1), last

    def step(self):
        return {"RNN": self.rnn_step, "GRU": self.gru_step, "LSTM": self.lstm_step}[self.kind]

    def bound(self, x):
        return x if self.clip is None else x.clamp(-self.clip, self.clip)

    def rnn_step(self, d, r, rb, x, h):
        return (self.functions[d](self.bound(x + F.linear(h, r, rb))),)

    def gru_step(self, d, r, rb, x, h):
        f, g = self.functions[2 * d : 2 * d + 2]
        hidden = h.shape[-1]
        xz, xr, xh = x.split(hidden, -1)
        rz, rr, rh = r.split(hidden)
        bz, br, bh = rb.split(hidden)
        z = f(self.bound(xz + F.linear(h, rz, bz)))
        reset = f(self.bound(xr + F.linear(h, rr, br)))
        if self.linear_before_reset:
            new = g(self.bound(xh + reset * F.linear(h, rh, bh)))
        else:
            new = g(self.bound(xh + F.linear(reset * h, rh, bh)))
        return ((1 - z) * new + z * h,)

    def lstm_step(self, d, r, rb, x, h, c):
        f, g, out = self.functions[3 * d : 3 * d + 3]
        i, o, forget, new = (x + F.linear(h, r, rb)).chunk(4, -1)
        if self.peepholes is not None:
            pi, po, pf = self.peepholes[d].chunk(3)
            i, forget = i + pi * c, forget + pf * c
        i = f(self.bound(i))
        forget = 1 - i if self.input_forget else f(self.bound(forget))
        c = forget * c + i * g(self.bound(new))
        if self.peepholes is not None:
            o = o + po * c
        return f(self.bound(o)) * out(c), c


def _in_the_graph(step, projected, state, lengths):
    """Run the steps as one operator of an exported program, whose length is open."""

    def advance(carried, item):
        x, t = item
        new = step(x, *carried)
        row = new[0]
        if lengths is not None:
            alive = (t < lengths)[:, None]
            row = torch.where(alive, row, torch.zeros_like(row))
            new = tuple(torch.where(alive, a, s) for a, s in zip(new, carried, strict=True))
        # What a step gives back may not share memory with what it was given.
        return tuple(x.clone() for x in new), row.clone()

    steps = torch.arange(projected.shape[0], device=projected.device)
    last, rows = torch_scan(advance, tuple(s.clone() for s in state), (projected, steps))
    return rows, last


def _gates(tensor, order, hidden):
    if len(order) == 1:
        return tensor
    parts = tensor.split(hidden)
    return torch.cat([parts[i] for i in order])


def _reversed(x, lengths):
    """Reverse in time; each sequence within its own length."""
    if lengths is None:
        return x.flip(0)
    steps = torch.arange(x.shape[0], device=x.device)[:, None]
    index = torch.where(steps < lengths, lengths - 1 - steps, steps).long()
    return x.gather(0, index[..., None].expand(x.shape))


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
    "Relu": lambda x, a, b: F.relu(x),
    "Tanh": lambda x, a, b: torch.tanh(x),
    "Sigmoid": lambda x, a, b: torch.sigmoid(x),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: F.leaky_relu(x, a),
    "ThresholdedRelu": lambda x, a, b: torch.where(x > a, x, torch.zeros_like(x)),
    "ScaledTanh": lambda x, a, b: a * torch.tanh(b * x),
    "HardSigmoid": lambda x, a, b: (a * x + b).clamp(0, 1),
    "Elu": lambda x, a, b: F.elu(x, a),
    "Softsign": lambda x, a, b: F.softsign(x),
    "Softplus": lambda x, a, b: F.softplus(x),
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
