"""Handlers of the room `tensor`: shapes, slices, pads, choices."""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch.fx.experimental.symbolic_shapes import statically_known_true

from converter.rebuild.pytorch.scatter import positive
from converter.rebuild.pytorch.strings import moves_strings
from converter.rebuild.pytorch.table import op
from converter.rebuild.pytorch.unsigned import back_to, select, signed


@op("Identity", since=1)
def identity(input):
    return input


@op("Shape", since=1)
def shape(data, *, start=0, end=None, device):
    sizes = tuple(data.shape)[start:end]
    if all(type(size) is int for size in sizes):
        return torch.tensor(sizes, dtype=torch.int64, device=device)
    return torch.stack([torch.scalar_tensor(s, dtype=torch.int64, device=device) for s in sizes])


@op("Size", since=1)
def size(data, *, device):
    return torch.scalar_tensor(math.prod(data.shape), dtype=torch.int64, device=device)


@op("Reshape", since=5, host=("shape",))
@moves_strings
def reshape(data, shape, *, allowzero=0):
    if not allowzero:
        shape = [
            data.shape[axis] if type(size) is int and size == 0 else size
            for axis, size in enumerate(shape)
        ]
    if any(type(size) is int and size == -1 for size in shape):
        shape = _inferred(data.shape, list(shape))
    return data.reshape(tuple(shape))


def _inferred(sizes, shape):
    """Put a size for -1 by leaving out what stands on both sides.

    PyTorch divides instead: by 0 where an axis is empty, and by a number that is known at run time
    only. Of sizes that do not cancel out, and are not all known, the -1 is left to PyTorch.
    """
    plain = all(type(size) is int for size in (*sizes, *shape))
    if torch.jit.is_tracing() or plain and 0 not in shape:
        return shape
    left, others = list(sizes), []
    for size in shape:
        if type(size) is int and size == -1:
            continue
        same = next((i for i, own in enumerate(left) if statically_known_true(own == size)), None)
        if same is None:
            others.append(size)
        else:
            del left[same]
    if not all(type(size) is int for size in (*left, *others)) or math.prod(others) == 0:
        return shape
    rest = math.prod(left) // math.prod(others)
    return [rest if type(size) is int and size == -1 else size for size in shape]


@op("Transpose", since=1)
@moves_strings
def transpose(data, *, perm=None):
    return data.permute(perm or tuple(range(data.ndim))[::-1])


@op("Squeeze", since=1)
@moves_strings
def squeeze_1(data, *, axes=None):
    return squeeze_13(data, axes)


@op("Squeeze", since=13, host=("axes",))
@moves_strings
def squeeze_13(data, axes=None):
    return data.squeeze() if axes is None else data.squeeze(tuple(axes))


@op("Unsqueeze", since=1)
@moves_strings
def unsqueeze_1(data, *, axes):
    return unsqueeze_13(data, axes)


@op("Unsqueeze", since=13, host=("axes",))
@moves_strings
def unsqueeze_13(data, axes):
    axes = (axes,) if isinstance(axes, int) else axes
    rank = data.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        data = data.unsqueeze(axis)
    return data


@op("Flatten", since=1)
@moves_strings
def flatten(input, *, axis=1):
    axis = axis + input.dim() if axis < 0 else axis
    return input.reshape(math.prod(input.shape[:axis]), math.prod(input.shape[axis:]))


@op("Concat", since=4)
@moves_strings
def concat(*inputs, axis):
    return torch.cat(inputs, axis)


@op("Split", since=2)
@moves_strings
def split_2(input, *, axis=0, split=None, n_outputs):
    return split_13(input, split, axis=axis, n_outputs=n_outputs)


@op("Split", since=13, host=("split",))
@moves_strings
def split_13(input, split=None, *, axis=0, num_outputs=None, n_outputs):
    if split is None:
        count = num_outputs or n_outputs
        chunk = -(-input.shape[axis] // count)
        split = [chunk] * (count - 1) + [input.shape[axis] - chunk * (count - 1)]
    return torch.split(input, list(split), axis)


@op("Slice", since=1)
@moves_strings
def slice_1(data, *, starts, ends, axes=None):
    return slice_10(data, starts, ends, axes)


@op("Slice", since=10, host=("starts", "ends", "axes", "steps"))
@moves_strings
def slice_10(data, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        data = _sliced(data, start, end, axis % data.dim(), step)
    return data


def _sliced(data, start, end, axis, step):
    if step > 0:
        index = (slice(None),) * axis + (slice(start, end, step),)
        return data[index]
    # PyTorch has no negative steps; clamp as ONNX says, then gather backwards.
    size = data.shape[axis]
    start = min(max(start + size if start < 0 else start, 0), size - 1)
    end = min(max(end + size if end < 0 else end, -1), size - 1)
    places = torch.arange(start, min(start, end), step, device=data.device)
    return select(data, axis, places)


@op("Expand", since=8, host=("shape",))
@moves_strings
def expand(input, shape):
    return input.expand(_broadcast(tuple(input.shape), tuple(shape)))


def _broadcast(own, wanted):
    """Return the shape that `input` and ``wanted`` broadcast to; -1 keeps the input's own size."""
    rank = max(len(own), len(wanted))
    own = (1,) * (rank - len(own)) + own
    wanted = (1,) * (rank - len(wanted)) + wanted
    return tuple(
        a if isinstance(b, int) and b == 1 else b for a, b in zip(own, wanted, strict=True)
    )


@op("Tile", since=6, host=("repeats",))
@moves_strings
def tile(input, repeats):
    return input.repeat(tuple(repeats)) if input.dim() else input


@op("Where", since=9)
@moves_strings
def where(condition, X, Y):
    return torch.where(condition, X, Y)


@op("NonZero", since=9)
def non_zero(X):
    return torch.nonzero(signed(X) if X.dim() else signed(X).reshape(1)).t()


@op("Compress", since=9)
@moves_strings
def compress(input, condition, *, axis=None):
    if axis is None:
        input, axis = input.reshape(-1), 0
    # The condition may be shorter than the axis; what it does not reach is dropped.
    return select(input, axis, torch.nonzero(condition).reshape(-1))


@op("OneHot", since=9, host=("depth",))
@moves_strings
def one_hot(indices, depth, values, *, axis=-1):
    depth = int(depth[0] if isinstance(depth, tuple) else depth)
    indices = positive(indices, depth)
    axis = axis + indices.dim() + 1 if axis < 0 else axis
    steps = torch.arange(depth, device=indices.device)
    steps = steps.reshape(-1, *(1,) * (indices.dim() - axis))
    return torch.where(indices.unsqueeze(axis) == steps, values[1], values[0])


@op("Trilu", since=14, host=("k",))
@moves_strings
def trilu(input, k=0, *, upper=1):
    k = k[0] if isinstance(k, tuple) else k
    cut = torch.triu if upper else torch.tril
    return back_to(cut(signed(input), k or 0), input.dtype)


@op("DepthToSpace", since=1)
@moves_strings
def depth_to_space(input, *, blocksize, mode="DCR"):
    if mode == "CRD":
        return F.pixel_shuffle(input, blocksize)
    n, c, h, w = input.shape
    blocks = input.reshape(n, blocksize, blocksize, c // blocksize**2, h, w)
    blocks = blocks.permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, c // blocksize**2, h * blocksize, w * blocksize)


@op("SpaceToDepth", since=1)
@moves_strings
def space_to_depth(input, *, blocksize, mode="DCR"):
    if mode == "CRD":
        return F.pixel_unshuffle(input, blocksize)
    n, c, h, w = input.shape
    blocks = input.reshape(n, c, h // blocksize, blocksize, w // blocksize, blocksize)
    blocks = blocks.permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(n, c * blocksize**2, h // blocksize, w // blocksize)


@op("ReverseSequence", since=10)
@moves_strings
def reverse_sequence(input, sequence_lens, *, batch_axis=1, time_axis=0):
    moved = input.movedim((batch_axis, time_axis), (0, 1))
    steps = torch.arange(moved.shape[1], device=input.device).expand(moved.shape[:2])
    lengths = sequence_lens[:, None]
    index = torch.where(steps < lengths, lengths - 1 - steps, steps)
    index = index.reshape(*index.shape, *(1,) * (moved.dim() - 2)).expand(moved.shape)
    return torch.gather(moved, 1, index).movedim((0, 1), (batch_axis, time_axis))


def _unique(x, axis):
    if axis is None or x.numel() > 0:
        return torch.unique(x, sorted=True, return_inverse=True, return_counts=True, dim=axis)
    # Slices that hold nothing are all the same; PyTorch refuses them.
    count = x.shape[axis]
    values = x.narrow(axis, 0, min(count, 1))
    inverse = torch.zeros(count, dtype=torch.int64, device=x.device)
    return values, inverse, torch.full_like(inverse[:1], count)


@op("Unique", since=11)
@partial(moves_strings, only_first=True)
def unique(X, *, axis=None, sorted=1):
    values, inverse, counts = _unique(X, axis)
    inverse = inverse.reshape(-1)
    steps = torch.arange(inverse.numel(), device=X.device)
    first = torch.full_like(counts, inverse.numel()).scatter_reduce(0, inverse, steps, "amin")
    if not sorted:  # in order of first appearance
        order = torch.argsort(first)
        values = select(values, axis or 0, order)
        first, counts = first[order], counts[order]
        inverse = torch.argsort(order)[inverse]
    return values, first, inverse, counts


_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@op("Pad", since=2)
@moves_strings
def pad_2(data, *, pads, mode="constant", value=0.0):
    return pad_11(data, pads, value, mode=mode)


@op("Pad", since=11, host=("pads", "axes"), either=("constant_value",))
@moves_strings
def pad_11(data, pads, constant_value=None, axes=None, *, mode="constant"):
    rank = data.dim()
    axes = range(len(pads) // 2) if axes is None else [axis % rank for axis in axes]
    count = len(pads) // 2
    begins = dict(zip(axes, pads[:count], strict=True))
    ends = dict(zip(axes, pads[count:], strict=True))
    if mode == "constant":
        return _pad_constant(data, begins, ends, constant_value)
    for axis in begins:
        data = _pad_axis(data, axis, begins[axis], ends[axis], mode)
    return data


def _pad_constant(data, begins, ends, value):
    amounts = []
    for axis in reversed(range(data.dim())):
        amounts += [begins.get(axis, 0), ends.get(axis, 0)]
    if isinstance(value, torch.Tensor):
        # The fill is known at run time only: pad a mask and choose by it.
        inside = F.pad(torch.ones_like(data, dtype=torch.bool), amounts)
        return torch.where(inside, F.pad(data, amounts), value.reshape(()).to(data.dtype))
    value = value[0] if isinstance(value, tuple) else value
    if data.dtype == torch.bool:
        return F.pad(data.to(torch.uint8), amounts, value=int(value or 0)).bool()
    # Not F.pad: its fill is a float, and an integer past 2^53 is none.
    return torch.constant_pad_nd(data, amounts, value or 0)


def _pad_axis(data, axis, begin, end, mode):
    size = data.shape[axis]
    steps = torch.arange(-begin, size + end, device=data.device)
    if mode == "edge":
        steps = steps.clamp(0, size - 1)
    elif mode == "wrap":
        steps = steps % size
    else:  # reflect
        period = max(2 * (size - 1), 1)
        steps = (steps % period).abs()
        steps = torch.where(steps >= size, period - steps, steps)
    if begin < 0 or end < 0:
        start = max(-begin, 0)
        data = data.narrow(axis, start, size - start - max(-end, 0))
        if begin <= 0 and end <= 0:
            return data
        return _pad_axis(data, axis, max(begin, 0), max(end, 0), mode)
    return select(data, axis, steps)


@op("CenterCropPad", since=18, host=("shape",))
@moves_strings
def center_crop_pad(input_data, shape, *, axes=None):
    axes = range(len(shape)) if axes is None else axes
    for axis, wanted in zip(axes, shape, strict=True):
        axis, size = axis % input_data.dim(), input_data.shape[axis]
        if size > wanted:
            input_data = input_data.narrow(axis, (size - wanted) // 2, wanted)
        elif size < wanted:
            before = (wanted - size) // 2
            amounts = [0, 0] * (input_data.dim() - 1 - axis) + [before, wanted - size - before]
            input_data = F.pad(input_data, amounts)
    return input_data
