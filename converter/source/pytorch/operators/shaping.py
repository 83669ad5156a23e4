"""What only moves elements, or makes other shapes and types of them."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from converter.graph.structure.sizes import dims
from converter.source.expressions import SUM, UNARY, Text, call, combined, method
from converter.source.pytorch.dtypes import word
from converter.source.pytorch.operators.table import spells
from converter.source.spelling import ENDLESS, one_of, single_axes
from converter.source.view import View


@spells("Transpose", since=1)
def _transpose(view: View) -> Text | None:
    rank = view.rank(0)
    if rank is None:
        return None
    order = view.attribute("perm", tuple(reversed(range(rank))))
    moved = [axis for axis in range(rank) if order[axis] != axis]
    value = view.tensor(0)
    if len(moved) == 2:
        if moved == [rank - 2, rank - 1] and rank > 2:
            return combined(f"{value.at(UNARY + 1)}.mT", UNARY + 1, value)
        return method(value, "transpose", *moved)
    return method(value, "permute", *order)


@spells("Reshape", since=5)
def _reshape(view: View) -> Text | None:
    before, wanted = view.dims(0), view.number(1)
    if wanted is None or isinstance(wanted, int):
        return None
    target = [
        before[i] if size == 0 and not view.attribute("allowzero", 0) and before else size
        for i, size in enumerate(wanted)
    ]
    value = view.tensor(0)
    after = dims(view.node.outputs[0])
    if before and after and None not in before and None not in after:
        same = 0
        while same < min(len(before), len(after)) and before[same] == after[same]:
            same += 1
        if same == len(after) - 1 and len(before) > len(after):
            return method(value, "flatten", same)
        tail = 0
        rest = min(len(before), len(after)) - same
        while tail < rest and before[-1 - tail] == after[-1 - tail]:
            tail += 1
        middle = after[same : len(after) - tail]
        if len(before) - same - tail == 1 and len(middle) > 1 and _plain(middle) <= 1:
            sizes = tuple(item if isinstance(item, int) else -1 for item in middle)
            return method(value, "unflatten", same, view.literal(sizes))
        if same == len(after) < len(before) and set(before[same:]) == {1}:
            return method(value, "flatten", same - 1)
        if len(middle) == 1 and len(before) - same - tail > 1:
            return method(value, "flatten", same, len(before) - tail - 1)
        if after == before:
            return value
    return method(value, "reshape", *(view.size(size) for size in target))


def _plain(sizes: Any) -> int:
    """Return how many of the sizes are open."""
    return sum(not isinstance(size, int) for size in sizes)


@spells("Flatten", since=1)
def _flatten(view: View) -> Text | None:
    axis, rank = view.attribute("axis", 1), view.rank(0)
    return method(view.tensor(0), "flatten", 1) if axis == 1 and rank and rank >= 2 else None


@spells("Squeeze", "Unsqueeze", since=13)
def _squeeze(view: View) -> Text | None:
    axes = view.number(1) if view.has(1) else single_axes(view)
    name = view.node.op_type.lower()
    if not isinstance(axes, tuple):
        axes = None if axes is None else (axes,)
    if axes is None:
        return None
    value = view.tensor(0)
    if name == "squeeze":
        return method(value, name, axes[0] if len(axes) == 1 else view.literal(tuple(axes)))
    if len(axes) > 1 and any(axis < 0 for axis in axes):
        return None
    for axis in sorted(axes):
        value = method(value, name, axis)
    return value


@spells("Concat", since=4)
def _concat(view: View) -> Text | None:
    parts = [view.tensor(index) for index in range(len(view.node.inputs))]
    axis = view.attribute("axis", 0)
    together = combined(f"[{', '.join(part.text for part in parts)}]", UNARY + 1, *parts)
    return call("torch.cat", together, dim=None if axis == 0 else axis)


@spells("Split", since=13)
def _split(view: View) -> Text | None:
    axis = view.attribute("axis", 0)
    count = len(view.node.outputs)
    sizes = view.number(1) if view.has(1) else None
    dim = None if axis == 0 else axis
    if view.has(1) and sizes is None:
        return None
    if sizes is None:
        whole = view.dims(0)
        if whole is None or not isinstance(whole[axis], int) or whole[axis] % count:
            return None
    if sizes is None or (len(set(sizes)) == 1 and isinstance(sizes[0], int)):
        return method(view.tensor(0), "chunk", count, dim=dim)
    together = combined(f"[{', '.join(view.size(item).text for item in sizes)}]", UNARY + 1)
    return method(view.tensor(0), "split", together, dim=dim)


@spells("Slice", since=10)
def _slice(view: View) -> Text | None:
    starts, ends = view.number(1), view.number(2)
    rank = view.rank(0)
    axes, steps = (view.number(index) if view.has(index) else None for index in (3, 4))
    unknown = (view.has(3) and axes is None) or (view.has(4) and steps is None)
    if starts is None or ends is None or rank is None or unknown:
        return None
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not all(isinstance(step, int) and step > 0 for step in steps):
        return None
    parts = [":"] * rank
    sizes = view.dims(0)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = axis % rank
        if not isinstance(start, int) and not _is_safe(start):
            return None
        end, step = one_of(start, end, step)
        low = "" if start == 0 else view.size(start).at(SUM)
        open_end = (isinstance(end, int) and end >= ENDLESS) or (sizes and end == sizes[axis])
        high = "" if open_end else view.size(end).at(SUM)
        parts[axis] = f"{low}:{high}" + (f":{step}" if step != 1 else "")
    while len(parts) > 1 and parts[-1] == ":":
        parts.pop()
    value = view.tensor(0)
    if parts == [":"]:
        return value
    if len(parts) > 2 and all(part == ":" for part in parts[:-1]) and len(parts) == rank:
        parts = ["...", parts[-1]]
    return combined(f"{value.at(UNARY + 1)}[{', '.join(parts)}]", UNARY + 1, value, *view.used)


def _is_safe(size: Any) -> bool:
    """Tell whether a size cannot be negative, where Python would count from the end."""
    return bool(getattr(size, "is_nonnegative", False))


@spells("Gather", since=1)
def _gather(view: View) -> Text | None:
    axis, index, rank = view.attribute("axis", 0), view.number(1), view.rank(0)
    if rank and (isinstance(index, int) or getattr(index, "is_nonnegative", False)):
        axis = axis % rank
        place = ", ".join([":"] * axis + [view.size(index).text])
        value = view.tensor(0)
        return combined(f"{value.at(UNARY + 1)}[{place}]", UNARY + 1, value, *view.used)
    if axis == 0 and index is None:
        value, ids = view.tensor(0), view.tensor(1)
        return combined(f"{value.at(UNARY + 1)}[{ids}]", UNARY + 1, value, ids)
    return None


@spells("Expand", since=8)
def _expand(view: View) -> Text | None:
    wanted, before = view.number(1), view.dims(0)
    after = dims(view.node.outputs[0])
    if wanted is None or before is None or after is None or None in after:
        return None
    shift, ahead = len(after) - len(before), len(after) - len(wanted)
    sizes = []
    for axis, size in enumerate(after):
        own = before[axis - shift] if axis >= shift else 1
        given = wanted[axis - ahead] if axis >= ahead else 1
        if axis >= shift and (own == size or given == 1):
            sizes.append(-1)
        else:
            sizes.append(given if own == 1 else size)
    return method(view.tensor(0), "expand", *(view.size(size) for size in sizes))


@spells("Pad", since=11)
def _pad(view: View) -> Text | None:
    pads, mode = view.number(1), view.attribute("mode", "constant")
    rank = view.rank(0)
    if pads is not None and not any(pads):
        return view.tensor(0)
    if pads is None or rank is None or view.has(3):
        return None
    if mode != "constant" or not all(isinstance(pad, int) for pad in pads):
        return None
    begin, end = pads[:rank], pads[rank:]
    flat: list[int] = []
    for axis in reversed(range(rank)):
        flat += [begin[axis], end[axis]]
    while len(flat) > 2 and flat[-2:] == [0, 0]:
        flat = flat[:-2]
    fill = view.optional(2)
    value = None if fill is None or str(fill) in ("0", "0.0") else fill
    return call("F.pad", view.tensor(0), view.literal(tuple(flat)), value=value)


_SIGNED = frozenset(
    {
        ir.DataType.BOOL, ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.INT64,
        ir.DataType.INT32, ir.DataType.UINT8,
    }
)  # fmt: skip
"""Types in which PyTorch has every operator of these."""


@spells("NonZero", since=9)
def _non_zero(view: View) -> Text | None:
    if view.dtype(0) not in _SIGNED or not view.rank(0):
        return None
    return method(method(view.tensor(0), "nonzero"), "t")


@spells("CumSum", since=11)
def _sums(view: View) -> Text | None:
    axis, dtype = view.number(1), view.dtype(0)
    if any(view.attribute(name, 0) for name in ("exclusive", "reverse")) or dtype not in _SIGNED:
        return None
    axis = axis[0] if isinstance(axis, tuple) else axis
    if not isinstance(axis, int) or dtype == ir.DataType.BOOL:
        return None
    # PyTorch adds integers up in 64 bits.
    wider = not view.is_float(0) and dtype != ir.DataType.INT64
    return method(view.tensor(0), "cumsum", axis, dtype=word(dtype) if wider else None)


@spells("Tile", since=6)
def _tile(view: View) -> Text | None:
    if not view.rank(0) or view.dtype(0) not in _SIGNED:
        return None
    repeats = view.number(1)
    if repeats is None:
        return method(view.tensor(0), "repeat", method(view.tensor(1), "tolist"))
    return method(view.tensor(0), "repeat", *(view.size(number) for number in repeats))
