"""Handlers of the room `controlflow`. Bodies are Python callables over captured values."""

from __future__ import annotations

import torch
from torch._higher_order_ops import scan as torch_scan

from converter.rebuild.pytorch.scatter import NoStep
from converter.rebuild.pytorch.table import op


@op("If", since=1, either=("cond",))
def if_(cond, *, then_branch, else_branch):
    return then_branch() if bool(cond) else else_branch()


@op("Loop", since=1, either=("M", "cond"))
def loop(M, cond, *v_initial, body, device, n_outputs):
    limit = None if M is None else int(M)
    keep_going, carried, rows = True if cond is None else bool(cond), v_initial, []
    step = 0
    while keep_going and (limit is None or step < limit):
        results = body(
            torch.tensor(step, dtype=torch.int64, device=device),
            torch.tensor(keep_going, device=device),
            *carried,
        )
        keep_going = bool(results[0])
        carried = results[1 : 1 + len(v_initial)]
        rows.append(results[1 + len(v_initial) :])
        step += 1
    if rows or n_outputs == len(v_initial):
        return (*carried, *_stacked(rows))
    start, going = torch.tensor(0, device=device), torch.tensor(True, device=device)
    return (*carried, *_no_rows(body, (start, going, *carried), 1 + len(v_initial)))


@op("Repeat", since=1, domain="equiport", either=("M",), multiple=True)
def repeat(M, *v_initial, body, states, device, n_outputs):
    """A `Loop` without a condition (`converter.graph.loops`)."""
    if lasts_an_open_time(M):
        return _repeated_in_the_graph(M, v_initial, body, n_outputs - states, device)
    carried, rows = v_initial, []
    for step in range(int(M)):
        results = body(torch.tensor(step, dtype=torch.int64, device=device), *carried)
        carried = results[:states]
        rows.append(results[states:])
    if rows or n_outputs == states:
        return (*carried, *_stacked(rows))
    return (*carried, *_no_rows(body, (torch.tensor(0, device=device), *carried), states))


def lasts_an_open_time(length):
    """Tell whether a loop over ``length`` must stay a loop in an exported program."""
    return torch.compiler.is_exporting() and isinstance(length, torch.SymInt)


def _repeated_in_the_graph(length, initial, body, count, device):
    def step(carried, index):
        results = body(index, *carried)
        # What a step of a loop gives back may not share memory with what it was given.
        copies = tuple(x.clone() for x in results)
        return copies[: len(initial)], copies[len(initial) :]

    index = torch.arange(length, device=device)
    carried, rows = torch_scan(step, tuple(x.clone() for x in initial), index)
    return (*carried, *rows)


def _stacked(rows):
    return tuple(torch.stack(column) for column in zip(*rows, strict=True))


def _no_rows(body, arguments, states):
    """Return what a loop of no steps stacks: ranks and types are those of one step's results."""
    NoStep.runs = True
    try:
        results = body(*arguments)[states:]
    finally:
        NoStep.runs = False
    return tuple(x.new_empty((0, *x.shape)) for x in results)


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
    columns = [
        torch.flip(x, (axis,)).unbind(axis) if back else x.unbind(axis)
        for x, axis, back in zip(inputs, axes, backwards, strict=True)
    ]
    rows = []
    for slices in zip(*columns, strict=True):
        results = body(*states, *slices)
        states, row = results[: len(states)], results[len(states) :]
        rows.append(row)
    count = n_outputs - len(states)
    if count and not rows:  # the ranks and types are those of a step on zeros
        blank = (x.new_zeros(_without(x.shape, a)) for x, a in zip(inputs, axes, strict=True))
        rows = [body(*states, *blank)[len(states) :]]
        axes = scan_output_axes or (0,) * count
        empty = (x.unsqueeze(a).narrow(a, 0, 0) for x, a in zip(rows[0], axes, strict=True))
        return (*states, *empty)
    axes = scan_output_axes or (0,) * count
    backwards = scan_output_directions or (0,) * count
    outputs = [
        torch.stack([row[i] for row in (rows[::-1] if backwards[i] else rows)], axes[i])
        for i in range(count)
    ]
    return (*states, *outputs)


def _without(shape, axis):
    axis = axis % len(shape)
    return (*shape[:axis], *shape[axis + 1 :])


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
    longest = values[split].shape[1]
    lengths = [longest] * values[split].shape[0]
    lengths = lengths if sequence_lens is None else sequence_lens.tolist()
    rows = []
    for i, length in enumerate(lengths):
        states, inputs = [x[i] for x in values[:split]], [x[i, :length] for x in values[split:]]
        results = scan(
            *states,
            *inputs,
            body=body,
            num_scan_inputs=num_scan_inputs,
            scan_input_directions=directions,
            n_outputs=n_outputs,
        )
        rows.append([*results[:split], *(_prolonged(x, longest) for x in results[split:])])
    return tuple(torch.stack(column) for column in zip(*rows, strict=True))


def _prolonged(x, length):
    return torch.cat((x, x.new_zeros((length - x.shape[0], *x.shape[1:]))))
