"""What only moves elements, or makes other shapes of them."""

from __future__ import annotations

from typing import Any

from converter.graph.structure.sizes import dims
from converter.source.expressions import SUM, UNARY, Text, call, combined, number
from converter.source.keras.operators.table import spells
from converter.source.spelling import ENDLESS, one_of, single_axes
from converter.source.view import View


def _tuple(parts: list[Text]) -> Text:
    inner = ", ".join(part.text for part in parts)
    return combined(f"({inner},)" if len(parts) == 1 else f"({inner})", UNARY + 1, *parts)


@spells("Transpose", since=1)
def _transpose(view: View) -> Text | None:
    rank = view.rank(0)
    if rank is None:
        return None
    order = tuple(view.attribute("perm", tuple(reversed(range(rank)))))
    value = view.tensor(0)
    moved = [axis for axis in range(rank) if order[axis] != axis]
    if len(moved) == 2:
        return call("ops.swapaxes", value, *moved)
    return call("ops.transpose", value, number(order))


@spells("Reshape", since=5)
def _reshape(view: View) -> Text | None:
    before, wanted = view.dims(0), view.number(1)
    if wanted is None or isinstance(wanted, int):
        return None
    target = [
        before[i] if size == 0 and not view.attribute("allowzero", 0) and before else size
        for i, size in enumerate(wanted)
    ]
    after = dims(view.node.outputs[0])
    value = view.tensor(0)
    if after == before and before is not None and None not in before:
        return value
    if after is not None and len(after) == len(target):
        # TensorFlow forgets what it is not told.
        target = [a if isinstance(a, int) else t for a, t in zip(after, target, strict=True)]
    left = [place for place, size in enumerate(target) if not isinstance(size, int) or size < 0]
    if len(left) == 1 and 0 not in target:
        target[left[0]] = -1
    return call("ops.reshape", value, _tuple([view.size(size) for size in target]))


@spells("Flatten", since=1)
def _flatten(view: View) -> Text | None:
    sizes = view.dims(0)
    if view.attribute("axis", 1) != 1 or not sizes or None in sizes or len(sizes) < 2:
        return None
    rest: Any = 1
    for size in sizes[1:]:
        rest = rest * size
    return call("ops.reshape", view.tensor(0), _tuple([Text("-1"), view.size(rest)]))


@spells("Squeeze", "Unsqueeze", since=13)
def _squeeze(view: View) -> Text | None:
    axes = view.number(1) if view.has(1) else single_axes(view)
    if axes is None:
        return None
    axes = axes if isinstance(axes, tuple) else (axes,)
    name = {"Squeeze": "squeeze", "Unsqueeze": "expand_dims"}[view.node.op_type]
    axis = axes[0] if len(axes) == 1 else number(tuple(axes))
    return call(f"ops.{name}", view.tensor(0), axis)


@spells("Concat", since=4)
def _concat(view: View) -> Text:
    parts = [view.tensor(index) for index in range(len(view.node.inputs))]
    axis = view.attribute("axis", 0)
    together = combined(f"[{', '.join(part.text for part in parts)}]", UNARY + 1, *parts)
    return call("ops.concatenate", together, axis=None if axis == 0 else axis)


@spells("Split", since=13)
def _split(view: View) -> Text | None:
    axis, count = view.attribute("axis", 0), len(view.node.outputs)
    sizes, whole = view.number(1) if view.has(1) else None, view.dims(0)
    if view.has(1) and (sizes is None or not all(isinstance(size, int) for size in sizes)):
        return None
    if sizes is None:
        if whole is None or not isinstance(whole[axis], int) or whole[axis] % count:
            return None
    elif len(set(sizes)) > 1:
        ends = [sum(sizes[: index + 1]) for index in range(len(sizes) - 1)]
        return call("ops.split", view.tensor(0), Text(repr(ends)), axis=axis)
    return call("ops.split", view.tensor(0), count, axis=axis)


@spells("Slice", since=10)
def _slice(view: View) -> Text | None:
    starts, ends = view.number(1), view.number(2)
    rank, sizes = view.rank(0), view.dims(0)
    axes, steps = (view.number(index) if view.has(index) else None for index in (3, 4))
    unknown = (view.has(3) and axes is None) or (view.has(4) and steps is None)
    if starts is None or ends is None or rank is None or unknown:
        return None
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not all(isinstance(step, int) and step > 0 for step in steps):
        return None
    parts = [":"] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = axis % rank
        if not isinstance(start, int) and not getattr(start, "is_nonnegative", False):
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


@spells("Gather", since=1)
def _gather(view: View) -> Text | None:
    axis, index, rank = view.attribute("axis", 0), view.number(1), view.rank(0)
    if rank and (isinstance(index, int) or getattr(index, "is_nonnegative", False)):
        place = ", ".join([":"] * (axis % rank) + [view.size(index).text])
        value = view.tensor(0)
        return combined(f"{value.at(UNARY + 1)}[{place}]", UNARY + 1, value, *view.used)
    return call("ops.take", view.tensor(0), view.tensor(1), axis=axis)


@spells("Expand", since=8)
def _expand(view: View) -> Text | None:
    after = dims(view.node.outputs[0])
    if view.number(1) is None or after is None or None in after:
        return None
    return call("ops.broadcast_to", view.tensor(0), _tuple([view.size(size) for size in after]))


@spells("Pad", since=11)
def _pad(view: View) -> Text | None:
    pads, mode, rank = view.number(1), view.attribute("mode", "constant"), view.rank(0)
    if pads is not None and not any(pads):
        return view.tensor(0)
    if pads is None or rank is None or view.has(3) or mode not in ("constant", "reflect"):
        return None
    if not all(isinstance(pad, int) and pad >= 0 for pad in pads):
        return None
    pairs = number(tuple(zip(pads[:rank], pads[rank:], strict=True)))
    if mode == "reflect":
        return call("ops.pad", view.tensor(0), pairs, '"reflect"')
    fill = view.optional(2)
    value = None if fill is None or str(fill) in ("0", "0.0") else fill
    return call("ops.pad", view.tensor(0), pairs, constant_values=value)


@spells("GatherElements", since=11)
def _take_along(view: View) -> Text:
    axis = view.attribute("axis", 0)
    return call("ops.take_along_axis", view.tensor(0), view.tensor(1), axis=axis)


@spells("Tile", since=6)
def _tile(view: View) -> Text | None:
    counts = view.number(1)
    if counts is None or not isinstance(counts, tuple):
        return None
    return call("ops.tile", view.tensor(0), _tuple([view.size(count) for count in counts]))
