"""How PyTorch spells an operator: one expression in the language's own words.

A speller takes the writer's view of a node (`converter.source.body.View`) and returns an
expression, or ``None`` where no single expression says it; then the handler is written out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx_ir as ir
import sympy

from converter.graph.structure.sizes import dims
from converter.source.expressions import (
    COMPARISON,
    PRODUCT,
    SUM,
    UNARY,
    Text,
    call,
    combined,
    infix,
    method,
)

ENDLESS = 1_000_000_000
"""From here on the end of a slice means "to the end"; exporters write different ones."""

Speller = Callable[[Any], Text | None]
SPELLERS: dict[str, Speller] = {}


def spells(*operators: str) -> Callable[[Speller], Speller]:
    """Register a speller for operators."""

    def register(speller: Speller) -> Speller:
        SPELLERS.update(dict.fromkeys(operators, speller))
        return speller

    return register


def _infix(operator: str, level: int) -> Speller:
    def spell(view: Any) -> Text | None:
        return infix(operator, level, view.arg(0), view.arg(1))

    return spell


SPELLERS |= {
    "Add": _infix("+", SUM),
    "Sub": _infix("-", SUM),
    "Mul": _infix("*", PRODUCT),
    "MatMul": _infix("@", PRODUCT),
    "Equal": _infix("==", COMPARISON),
    "Less": _infix("<", COMPARISON),
    "LessOrEqual": _infix("<=", COMPARISON),
    "Greater": _infix(">", COMPARISON),
    "GreaterOrEqual": _infix(">=", COMPARISON),
}


@spells("And", "Or", "Xor")
def _logical(view: Any) -> Text | None:
    operator = {"And": "&", "Or": "|", "Xor": "^"}[view.node.op_type]
    left, right = (view.tensor(index) for index in range(2))
    return combined(f"{left.at(UNARY)} {operator} {right.at(UNARY)}", COMPARISON, left, right)


@spells("Div")
def _div(view: Any) -> Text | None:
    if view.is_float(0):
        return infix("/", PRODUCT, view.arg(0), view.arg(1))
    return call("torch.div", view.tensor(0), view.arg(1), rounding_mode='"trunc"')


@spells("Pow")
def _pow(view: Any) -> Text | None:
    if not view.is_float(0):
        return None
    base, exponent = view.arg(0), view.arg(1)
    return combined(f"{base.at(UNARY + 1)} ** {exponent.at(UNARY)}", UNARY, base, exponent)


@spells("Neg")
def _neg(view: Any) -> Text | None:
    value = view.tensor(0)
    return combined(f"-{value.at(UNARY)}", UNARY, value)


@spells("Not")
def _not(view: Any) -> Text | None:
    value = view.tensor(0)
    return combined(f"~{value.at(UNARY)}", UNARY, value)


_FUNCTIONS = {
    "Relu": "F.relu", "Softplus": "F.softplus", "Mish": "F.mish", "HardSwish": "F.hardswish",
    "Sigmoid": "torch.sigmoid", "Tanh": "torch.tanh", "Exp": "torch.exp", "Log": "torch.log",
    "Sqrt": "torch.sqrt", "Abs": "torch.abs", "Sin": "torch.sin", "Cos": "torch.cos",
    "Tan": "torch.tan", "Erf": "torch.erf", "Floor": "torch.floor", "Ceil": "torch.ceil",
    "Round": "torch.round", "Sign": "torch.sign", "Reciprocal": "torch.reciprocal",
    "IsNaN": "torch.isnan", "Where": "torch.where", "Softsign": "F.softsign",
    "Atan": "torch.atan", "Asin": "torch.asin", "Acos": "torch.acos", "Sinh": "torch.sinh",
    "Cosh": "torch.cosh", "Asinh": "torch.asinh", "Acosh": "torch.acosh", "Atanh": "torch.atanh",
}  # fmt: skip
_FLOATS_ONLY = frozenset({"Sqrt", "Reciprocal", "Exp", "Log", "Erf"})


@spells(*_FUNCTIONS)
def _function(view: Any) -> Text | None:
    if view.node.op_type in _FLOATS_ONLY and not view.is_float(0):
        return None
    arguments = [view.tensor(0), *(view.arg(i) for i in range(1, len(view.node.inputs)))]
    return call(_FUNCTIONS[view.node.op_type], *arguments)


@spells("Gelu")
def _gelu(view: Any) -> Text | None:
    approximate = view.attribute("approximate", "none")
    word = None if approximate == "none" else f'"{approximate}"'
    return call("F.gelu", view.tensor(0), approximate=word)


@spells("Swish")
def _swish(view: Any) -> Text | None:
    return call("F.silu", view.tensor(0)) if view.attribute("alpha", 1.0) == 1.0 else None


@spells("LeakyRelu")
def _leaky(view: Any) -> Text | None:
    return call("F.leaky_relu", view.tensor(0), view.literal(view.attribute("alpha", 0.01)))


@spells("HardSigmoid")
def _hard_sigmoid(view: Any) -> Text | None:
    alpha, beta = view.attribute("alpha", 0.2), view.attribute("beta", 0.5)
    known = abs(alpha - 1 / 6) < 1e-7 and beta == 0.5
    return call("F.hardsigmoid", view.tensor(0)) if known else None


@spells("Elu")
def _elu(view: Any) -> Text | None:
    alpha = view.attribute("alpha", 1.0)
    return call("F.elu", view.tensor(0), alpha=None if alpha == 1 else view.literal(alpha))


@spells("Softmax", "LogSoftmax")
def _softmax(view: Any) -> Text | None:
    name = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}[view.node.op_type]
    return method(view.tensor(0), name, view.axis(view.attribute("axis", -1)))


@spells("Clip")
def _clip(view: Any) -> Text | None:
    low, high = view.optional(1), view.optional(2)
    if low is None and high is None:
        return view.tensor(0)
    if str(low) in ("0", "0.0") and str(high) in ("6", "6.0"):
        return call("F.relu6", view.tensor(0))
    return method(view.tensor(0), "clamp", min=low, max=high)


@spells("Min", "Max")
def _extreme(view: Any) -> Text | None:
    if len(view.node.inputs) != 2:
        return None
    name = {"Min": "minimum", "Max": "maximum"}[view.node.op_type]
    if view.number(1) is not None and not isinstance(view.number(1), tuple):
        side = "max" if name == "minimum" else "min"
        return method(view.tensor(0), "clamp", **{side: view.arg(1)})
    return call(f"torch.{name}", view.tensor(0), view.tensor(1))


@spells("Transpose")
def _transpose(view: Any) -> Text | None:
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


@spells("Reshape")
def _reshape(view: Any) -> Text | None:
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


@spells("Flatten")
def _flatten(view: Any) -> Text | None:
    axis, rank = view.attribute("axis", 1), view.rank(0)
    return method(view.tensor(0), "flatten", 1) if axis == 1 and rank and rank >= 2 else None


@spells("Squeeze", "Unsqueeze")
def _squeeze(view: Any) -> Text | None:
    axes = view.number(1) if len(view.node.inputs) > 1 and view.node.inputs[1] else None
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


@spells("Einsum")
def _einsum(view: Any) -> Text | None:
    operands = [view.tensor(index) for index in range(len(view.node.inputs))]
    return call("torch.einsum", Text(f'"{view.attribute("equation", "")}"'), *operands)


@spells("Concat")
def _concat(view: Any) -> Text | None:
    parts = [view.tensor(index) for index in range(len(view.node.inputs))]
    axis = view.attribute("axis", 0)
    together = combined(f"[{', '.join(part.text for part in parts)}]", UNARY + 1, *parts)
    return call("torch.cat", together, dim=None if axis == 0 else axis)


@spells("Split")
def _split(view: Any) -> Text | None:
    axis = view.attribute("axis", 0)
    count = len(view.node.outputs)
    sizes = view.number(1) if len(view.node.inputs) > 1 and view.node.inputs[1] else None
    dim = None if axis == 0 else axis
    if sizes is None or (len(set(sizes)) == 1 and isinstance(sizes[0], int)):
        whole = view.dims(0)
        if sizes is None and (whole is None or not isinstance(whole[axis], int)):
            return None
        if sizes is None and whole[axis] % count:
            return None
        return method(view.tensor(0), "chunk", count, dim=dim)
    together = combined(f"[{', '.join(view.size(item).text for item in sizes)}]", UNARY + 1)
    return method(view.tensor(0), "split", together, dim=dim)


@spells("Slice")
def _slice(view: Any) -> Text | None:
    starts, ends = view.number(1), view.number(2)
    rank = view.rank(0)
    axes = view.number(3) if len(view.node.inputs) > 3 and view.node.inputs[3] else None
    steps = view.number(4) if len(view.node.inputs) > 4 and view.node.inputs[4] else None
    if starts is None or ends is None or rank is None:
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


@spells("Gather")
def _gather(view: Any) -> Text | None:
    axis, index, rank = view.attribute("axis", 0), view.number(1), view.rank(0)
    if isinstance(index, int) and rank:
        axis = axis % rank
        place = ", ".join([":"] * axis + [str(index)])
        value = view.tensor(0)
        return combined(f"{value.at(UNARY + 1)}[{place}]", UNARY + 1, value)
    if axis == 0 and index is None:
        value, ids = view.tensor(0), view.tensor(1)
        return combined(f"{value.at(UNARY + 1)}[{ids}]", UNARY + 1, value, ids)
    return None


@spells("Cast")
def _cast(view: Any) -> Text | None:
    word = WORDS.get(ir.DataType(view.attribute("to", 1)))
    known = view.number(0)
    if word is None or view.is_from_float_to_integer():
        return None
    if known is not None:
        return call("torch.tensor", view.arg(0), dtype=word)
    return method(view.tensor(0), "to", word)


WORDS = {
    ir.DataType.FLOAT: "torch.float32", ir.DataType.DOUBLE: "torch.float64",
    ir.DataType.FLOAT16: "torch.float16", ir.DataType.BFLOAT16: "torch.bfloat16",
    ir.DataType.INT64: "torch.int64", ir.DataType.INT32: "torch.int32",
    ir.DataType.BOOL: "torch.bool", ir.DataType.UINT8: "torch.uint8",
    ir.DataType.INT8: "torch.int8", ir.DataType.INT16: "torch.int16",
}  # fmt: skip


@spells("Range")
def _range(view: Any) -> Text | None:
    start, limit, step = (view.number(index) for index in range(3))
    if start is None or limit is None or step is None:
        return None
    word = WORDS[view.dtype_of_output()]
    start, limit, step = (
        sympy.nsimplify(item) if hasattr(item, "free_symbols") else item
        for item in (start, limit, step)
    )
    arguments = [view.size(start), view.size(limit), view.size(step)]
    if step == 1:
        arguments.pop()
        if start == 0:
            arguments = arguments[1:]
    device = view.device()
    return call(
        "torch.arange", *arguments, dtype=None if word == "torch.int64" else word, device=device
    )


@spells("Expand")
def _expand(view: Any) -> Text | None:
    wanted, before = view.number(1), view.dims(0)
    after = dims(view.node.outputs[0])
    if wanted is None or before is None or after is None or None in after:
        return None
    shift = len(after) - len(before)
    sizes = [
        -1 if axis >= shift and before[axis - shift] == size else size
        for axis, size in enumerate(after)
    ]
    return method(view.tensor(0), "expand", *(view.size(size) for size in sizes))


@spells("Conv")
def _conv(view: Any) -> Text | None:
    rank = (view.rank(0) or 0) - 2
    pads = view.attribute("pads", (0,) * 2 * rank)
    if rank not in (1, 2, 3) or view.attribute("auto_pad", "NOTSET") != "NOTSET":
        return None
    if pads[:rank] != pads[rank:]:
        return None
    keywords: dict[str, Any] = {}
    for word, given in (
        ("stride", view.attribute("strides", (1,) * rank)),
        ("dilation", view.attribute("dilations", (1,) * rank)),
    ):
        if set(given) != {1}:
            keywords[word] = view.literal(_short(given))
    if any(pads):
        keywords["padding"] = view.literal(_short(pads[:rank]))
    if view.attribute("group", 1) != 1:
        keywords["groups"] = view.literal(view.attribute("group", 1))
    operands = [view.tensor(index) for index in range(len(view.node.inputs))]
    return call(f"F.conv{rank}d", *operands, **keywords)


def _pooled(view: Any, function: str) -> Text | None:
    rank = (view.rank(0) or 0) - 2
    kernel = view.attribute("kernel_shape", ())
    pads = view.attribute("pads", (0,) * 2 * rank)
    if rank not in (1, 2, 3) or len(view.wanted()) > 1 or pads[:rank] != pads[rank:]:
        return None
    if view.attribute("auto_pad", "NOTSET") != "NOTSET":
        return None
    if any(2 * pad > size for pad, size in zip(pads, kernel, strict=False)):
        return None
    strides = view.attribute("strides", (1,) * rank)
    dilations = view.attribute("dilations", (1,) * rank)
    keywords: dict[str, Any] = {}
    if strides != kernel:
        keywords["stride"] = view.literal(_short(strides))
    if any(pads):
        keywords["padding"] = view.literal(_short(pads[:rank]))
    if set(dilations) != {1}:
        if function == "avg_pool":
            return None
        keywords["dilation"] = view.literal(_short(dilations))
    if view.attribute("ceil_mode", 0):
        if function == "avg_pool":
            return None
        keywords["ceil_mode"] = "True"
    if function == "avg_pool" and any(pads) and not view.attribute("count_include_pad", 0):
        keywords["count_include_pad"] = "False"
    return call(f"F.{function}{rank}d", view.tensor(0), view.literal(_short(kernel)), **keywords)


def _short(sizes: tuple[int, ...]) -> Any:
    return sizes[0] if len(set(sizes)) == 1 else tuple(sizes)


@spells("MaxPool")
def _max_pool(view: Any) -> Text | None:
    return _pooled(view, "max_pool")


@spells("AveragePool")
def _average_pool(view: Any) -> Text | None:
    return _pooled(view, "avg_pool")


@spells("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(view: Any) -> Text | None:
    rank = view.rank(0)
    if rank is None:
        return None
    name = "mean" if view.node.op_type == "GlobalAveragePool" else "amax"
    axes = view.literal(tuple(range(2, rank)))
    return method(view.tensor(0), name, axes, keepdim=True)


_REDUCTIONS = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "amax", "ReduceMin": "amin"}


@spells(*_REDUCTIONS)
def _reduce(view: Any) -> Text | None:
    given = view.attribute("axes", None)
    if given is None and len(view.node.inputs) > 1 and view.node.inputs[1] is not None:
        given = view.number(1)
        if given is None:
            return None
    if not given:
        if view.attribute("noop_with_empty_axes", 0) or view.rank(0) is None:
            return None
        given = tuple(range(view.rank(0)))
    if not all(isinstance(axis, int) for axis in given) or view.node.inputs[0].dtype is None:
        return None
    name = _REDUCTIONS[view.node.op_type]
    if name == "mean" and not view.is_float(0):
        return None
    axes = given[0] if len(given) == 1 else view.literal(tuple(given))
    # PyTorch adds integers up in 64 bits.
    wider = name == "sum" and not view.is_float(0) and view.dtype_of_output() != ir.DataType.INT64
    return method(
        view.tensor(0), name, axes, keepdim=True if view.attribute("keepdims", 1) else None,
        dtype=WORDS[view.dtype_of_output()] if wider else None,
    )  # fmt: skip


@spells("ReduceL2", "ReduceL1")
def _norm(view: Any) -> Text | None:
    given = view.number(1) if len(view.node.inputs) > 1 and view.node.inputs[1] else None
    given = view.attribute("axes", given)
    if not given or not view.is_float(0):
        return None
    order = {"ReduceL2": None, "ReduceL1": 1}[view.node.op_type]
    axes = given[0] if len(given) == 1 else view.literal(tuple(given))
    keep = True if view.attribute("keepdims", 1) else None
    function = "torch.linalg.vector_norm"
    return call(function, view.tensor(0), ord=order, dim=axes, keepdim=keep)


@spells("Identity")
def _identity(view: Any) -> Text | None:
    return view.tensor(0)


@spells("Pad")
def _pad(view: Any) -> Text | None:
    pads, mode = view.number(1), view.attribute("mode", "constant")
    rank = view.rank(0)
    if pads is None or rank is None or (len(view.node.inputs) > 3 and view.node.inputs[3]):
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
