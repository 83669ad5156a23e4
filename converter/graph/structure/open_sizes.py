"""Open sizes that follow from others: what a convolution makes of ``h`` is ``(h - 1) // 2 + 1``.

Shape inference gives each such size a word of its own. Without the relation a crop to the size of
another tensor cannot be seen to take nothing away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx_ir as ir
import sympy

from converter.graph.structure.sizes import Sizes, dims
from converter.rebuild.prepare import plain_domain

Shape = list[Any]


def name_open_sizes(model: ir.Model) -> ir.Model:
    """Write sizes that follow from the inputs' as expressions of them; in place."""
    sizes = Sizes(model)
    found: dict[Any, Any] = {}
    for node in model.graph:
        rule = _RULES.get(node.op_type)
        own = dims(node.outputs[0]) if node.outputs else None
        if rule is None or plain_domain(node.domain) or not own or not _open(own, sizes, found):
            continue
        made = rule(node, lambda value: _known(dims(value) if value else None, found), sizes, found)
        for word, size in zip(own, made or (), strict=False):
            follows = isinstance(size, int | sympy.Basic) and _symbols(size) <= sizes.given
            if isinstance(word, sympy.Symbol) and word not in sizes.given and follows:
                found.setdefault(word, sympy.sympify(size))
    texts = {str(word): text for word, size in found.items() if (text := _text(size)) is not None}
    for value in _values(model):
        if value.shape is not None and any(_word(dim) in texts for dim in value.shape):
            value.shape = ir.Shape([texts.get(_word(dim), dim) for dim in value.shape])
    return model


def _values(model: ir.Model) -> list[ir.Value]:
    return [value for node in model.graph.all_nodes() for value in node.outputs]


def _word(dim: Any) -> str:
    return str(getattr(dim, "value", ""))


def _symbols(size: Any) -> set[Any]:
    return set(getattr(size, "free_symbols", ()))


def _open(own: tuple[Any, ...], sizes: Sizes, found: dict[Any, Any]) -> bool:
    symbols = (s for s in own if isinstance(s, sympy.Symbol))
    return any(symbol not in sizes.given and symbol not in found for symbol in symbols)


def _known(shape: tuple[Any, ...] | None, found: dict[Any, Any]) -> Shape | None:
    if shape is None or None in shape:
        return None
    return [size.subs(found) if isinstance(size, sympy.Basic) else size for size in shape]


def _number(value: ir.Value | None, sizes: Sizes, found: dict[Any, Any]) -> Shape | None:
    """Return a vector of numbers with what is found in them."""
    known = sizes.of(value)
    if not isinstance(known, tuple) or any(isinstance(item, tuple | bool) for item in known):
        return None
    return [item.subs(found) if isinstance(item, sympy.Basic) else item for item in known]


def _ints(node: ir.Node, name: str, default: list[int]) -> list[int]:
    given = node.attributes.get(name)
    return list(given.as_ints()) if given else default


def _text_attribute(node: ir.Node, name: str, default: str) -> str:
    given = node.attributes.get(name)
    return given.as_string() if given else default


def _window(node: ir.Node, shape: Callable[..., Shape | None], *_: Any) -> Shape | None:
    """Return ``[n, c, ...]`` of a convolution or a pool."""
    given = shape(node.inputs[0])
    weight = shape(node.inputs[1]) if node.op_type == "Conv" else None
    if given is None or node.attributes.get("ceil_mode") and node.attributes["ceil_mode"].as_int():
        return None
    kernel = _ints(node, "kernel_shape", (weight or [])[2:])
    rank = len(given) - 2
    if len(kernel) != rank:
        return None
    steps, pads = _ints(node, "strides", [1] * rank), _ints(node, "pads", [0] * 2 * rank)
    spread = _ints(node, "dilations", [1] * rank)
    padding = _text_attribute(node, "auto_pad", "NOTSET")
    result = given[:2] if weight is None else [given[0], weight[0]]
    for axis, size in enumerate(given[2:]):
        if padding.startswith("SAME"):
            result.append(_floor(size + steps[axis] - 1, steps[axis]))
            continue
        around = pads[axis] + pads[rank + axis] if padding == "NOTSET" else 0
        extent = (kernel[axis] - 1) * spread[axis] + 1
        result.append(_floor(size + around - extent, steps[axis]) + 1)
    return result


def _transposed(node: ir.Node, shape: Callable[..., Shape | None], *_: Any) -> Shape | None:
    """Return ``[n, c, ...]`` of a transposed convolution with explicit padding."""
    given, weight = shape(node.inputs[0]), shape(node.inputs[1])
    explicit = _text_attribute(node, "auto_pad", "NOTSET") == "NOTSET"
    if given is None or weight is None or not explicit or "output_shape" in node.attributes:
        return None
    rank, group = len(given) - 2, node.attributes.get("group")
    steps, pads = _ints(node, "strides", [1] * rank), _ints(node, "pads", [0] * 2 * rank)
    spread, more = _ints(node, "dilations", [1] * rank), _ints(node, "output_padding", [0] * rank)
    result = [given[0], weight[1] * (group.as_int() if group else 1)]
    for axis, size in enumerate(given[2:]):
        extent = (weight[2 + axis] - 1) * spread[axis] + 1
        around = pads[axis] + pads[rank + axis]
        result.append(steps[axis] * (size - 1) + more[axis] + extent - around)
    return result


def _floor(above: Any, below: int) -> Any:
    if below == 1 or isinstance(above, int):
        return above // below
    return sympy.floor(above / below)


def _slice(
    node: ir.Node, shape: Callable[..., Shape | None], sizes: Sizes, found: dict[Any, Any]
) -> Shape | None:
    """Return the shape of what begins at 0 and ends at a known size, or at all there is."""
    result = shape(node.inputs[0])
    starts, ends, axes, steps = (
        _number(node.inputs[i], sizes, found) if len(node.inputs) > i else None for i in range(1, 5)
    )
    stepped = len(node.inputs) > 4 and steps != [1] * len(starts or ())
    if result is None or starts is None or ends is None or axes is None or stepped:
        return None
    for start, end, axis in zip(starts, ends, axes, strict=True):
        rest = sympy.sympify(result[axis] - end)
        if start != 0 or not (rest.is_nonnegative or rest.is_nonpositive):
            return None
        if rest.is_nonnegative and not sympy.sympify(end).is_nonnegative:
            return None
        result[axis] = end if rest.is_nonnegative else result[axis]
    return result


def _pad(
    node: ir.Node, shape: Callable[..., Shape | None], sizes: Sizes, found: dict[Any, Any]
) -> Shape | None:
    result, pads = shape(node.inputs[0]), _number(node.inputs[1], sizes, found)
    if result is None or pads is None or len(pads) != 2 * len(result):
        return None
    return [s + a + b for s, a, b in zip(result, pads, pads[len(result) :], strict=False)]


def _concat(node: ir.Node, shape: Callable[..., Shape | None], *_: Any) -> Shape | None:
    """Return the shape: sizes that must be the same are the first input's."""
    shapes = [shape(value) for value in node.inputs]
    if any(item is None for item in shapes):
        return None
    first, *others = (item for item in shapes if item is not None)
    axis = node.attributes["axis"].as_int() % len(first)
    return [
        size + sum(other[axis] for other in others) if i == axis else size
        for i, size in enumerate(first)
    ]


_RULES: dict[str, Callable[..., Shape | None]] = {
    "Conv": _window, "MaxPool": _window, "AveragePool": _window, "ConvTranspose": _transposed,
    "Slice": _slice, "Pad": _pad, "Concat": _concat,
}  # fmt: skip


def _text(size: Any) -> str | None:
    """Return a size as `converter.expressions` reads it, ``None`` where it cannot."""
    if size.is_Symbol:
        return str(size) if str(size).isidentifier() else None
    if size.is_Integer:
        return str(size)
    if isinstance(size, sympy.floor):
        above, below = size.args[0].as_numer_denom()
        text = _text(above)
        return f"({text}//{below})" if text is not None and below.is_Integer else None
    if size.is_Add or size.is_Mul:
        parts = [_text(part) for part in size.args]
        sign = "+" if size.is_Add else "*"
        return None if None in parts else f"({sign.join(map(str, parts))})"
    return None
