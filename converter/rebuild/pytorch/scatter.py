"""Handlers of the room `tensor`: gathering and scattering."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from converter.rebuild.pytorch.strings import moves_strings
from converter.rebuild.pytorch.table import op
from converter.rebuild.pytorch.unsigned import back_to, select, signed


class NoStep:
    """Tells that a loop of no steps runs its body once, for the ranks and types of a row."""

    runs = False


@op("Gather", since=1)
@moves_strings
def gather(data, indices, *, axis=0):
    axis = axis % data.dim()
    size = data.shape[axis]
    indices = torch.where(indices < 0, indices + size, indices).long()
    if axis == 0 and data.dim() == 2 and data.is_floating_point() and not NoStep.runs:
        return F.embedding(indices, data)
    others = (*data.shape[:axis], *data.shape[axis + 1 :])
    shape = (*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :])
    # There is no row to take, or rows of nothing are taken: nothing is read then.
    if is_none(size) and (NoStep.runs or any(map(is_none, others))):
        return data.new_zeros(shape)
    return select(data, axis, indices.reshape(-1)).reshape(shape)


def is_none(size):
    """Tell whether a size is known to be 0."""
    return type(size) is int and size == 0


@op("GatherElements", since=11)
@moves_strings
def gather_elements(data, indices, *, axis=0):
    picked = torch.gather(signed(data), axis, positive(indices, data.shape[axis]))
    return back_to(picked, data.dtype)


def positive(indices, size):
    indices = indices.long()
    return torch.where(indices < 0, indices + size, indices)


@op("GatherND", since=11)
@moves_strings
def gather_nd(data, indices, *, batch_dims=0):
    if batch_dims == 0:
        return data[tuple(indices.long().unbind(-1))]
    batch = data.shape[:batch_dims]
    rows = math.prod(batch)
    flat = data.reshape(rows, *data.shape[batch_dims:])
    index = indices.long().reshape(rows, *indices.shape[batch_dims:])
    row = torch.arange(rows, device=data.device).reshape(-1, *(1,) * (index.dim() - 2))
    picked = flat[(row, *index.unbind(-1))]
    return picked.reshape(*batch, *picked.shape[1:])


_REDUCE = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@op("Scatter", since=9)
@moves_strings
def scatter(data, indices, updates, *, axis=0):
    return scatter_elements(data, indices, updates, axis=axis)


@op("ScatterElements", since=11)
@moves_strings
def scatter_elements(data, indices, updates, *, axis=0, reduction="none"):
    indices = positive(indices, data.shape[axis])
    if reduction == "none":
        return back_to(torch.scatter(signed(data), axis, indices, signed(updates)), data.dtype)
    return torch.scatter_reduce(data, axis, indices, updates, _REDUCE[reduction])


@op("ScatterND", since=11)
@moves_strings
def scatter_nd(data, indices, updates, *, reduction="none"):
    depth = indices.shape[-1]
    if reduction in ("none", "add"):
        index = tuple(indices.long().unbind(-1))
        add = reduction == "add"
        return back_to(signed(data).index_put(index, signed(updates), accumulate=add), data.dtype)
    # The other reductions: one row per addressed slice, and positions counted in rows.
    rows = math.prod(data.shape[:depth])
    position = torch.zeros(indices.shape[:-1], dtype=torch.int64, device=data.device)
    for axis in range(depth):
        position = position * data.shape[axis] + positive(indices[..., axis], data.shape[axis])
    # No -1 beside a number of rows: that could be 0, or be known at run time only.
    width = math.prod(data.shape[depth:])
    flat = data.reshape(rows, width)
    index = position.reshape(-1, 1).expand(-1, width)
    source = updates.reshape(index.shape)
    return flat.scatter_reduce(0, index, source, _REDUCE[reduction]).reshape(data.shape)


@op("TensorScatter", since=24)
@moves_strings
def tensor_scatter(past_cache, update, write_indices=None, *, mode="linear", axis=-2):
    axis = axis % past_cache.dim()
    length, size = update.shape[axis], past_cache.shape[axis]
    steps = torch.arange(length, device=update.device)
    batch = past_cache.shape[0]
    start = torch.zeros(batch, dtype=torch.int64, device=update.device)
    start = start if write_indices is None else write_indices.long()
    position = start[:, None] + steps[None, :]
    position = position % size if mode == "circular" else position
    shape = [1] * update.dim()
    shape[0], shape[axis] = batch, length
    return past_cache.scatter(axis, position.reshape(shape).expand(update.shape), update)
