"""The operators that are tested on random samples, and how each is drawn."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tests.conformance.properties import (
    FLOATS,
    Strategy,
    along_axis,
    arg,
    arrays,
    axis_of,
    binary,
    broadcastable,
    dtypes_of,
    ints,
    reduction,
    shapes,
    unary,
    variadic,
)
from tests.conformance.samples import Sample

_BIT = st.integers(0, 1)
_ALPHA = st.sampled_from((0.25, 1.0, 1.5))


@st.composite
def softmax_like(draw, op: str) -> Sample:
    return draw(along_axis(op, smallest=1))


@st.composite
def clip(draw) -> Sample:
    dtype = draw(st.sampled_from(dtypes_of("Clip")))
    bounds = [draw(arrays((), dtype)) if draw(st.booleans()) else None for _ in range(2)]
    while bounds and bounds[-1] is None:
        bounds.pop()
    return Sample("Clip", (draw(arrays(draw(shapes()), dtype)), *bounds))


@st.composite
def where(draw) -> Sample:
    condition, x, y = draw(broadcastable(3, high=4))
    dtype = draw(st.sampled_from(dtypes_of("Where", 1)))
    inputs = (arrays(condition, "bool"), arrays(x, dtype), arrays(y, dtype))
    return Sample("Where", tuple(map(draw, inputs)))


@st.composite
def cast(draw) -> Sample:
    kinds = (*FLOATS, "int8", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
    numbers = {"float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int32": 6, "int64": 7, "bool": 9}
    numbers |= {"float16": 10, "float64": 11, "uint32": 12, "uint64": 13}
    x = draw(arrays(draw(shapes()), draw(st.sampled_from(kinds)), low=0, high=3))
    return Sample("Cast", (x,), {"to": numbers[draw(st.sampled_from(kinds))]})


@st.composite
def reshape(draw) -> Sample:
    shape = draw(shapes(0, 5, 1))
    x = draw(arrays(shape, draw(st.sampled_from(dtypes_of("Reshape")))))
    target = list(draw(st.permutations(shape)))
    if target and draw(st.booleans()):
        target[draw(st.integers(0, len(target) - 1))] = -1
    return Sample("Reshape", (x, ints(target)))


@st.composite
def reshape_nothing(draw) -> Sample:
    """Zero-sized tensors, with ``allowzero``."""
    shape = (0, *draw(shapes(0, 3)))
    x = draw(arrays(shape, "float32"))
    return Sample("Reshape", (x, ints(draw(st.permutations(shape)))), {"allowzero": 1})


@st.composite
def transpose(draw) -> Sample:
    shape = draw(shapes())
    x = draw(arrays(shape, draw(st.sampled_from(dtypes_of("Transpose")))))
    perm = list(draw(st.permutations(range(len(shape)))))
    return Sample("Transpose", (x,), {"perm": perm} if perm and draw(st.booleans()) else {})


@st.composite
def squeeze(draw) -> Sample:
    shape = list(draw(shapes(0, 3)))
    axes = []
    for _ in range(draw(st.integers(1, 2))):
        shape.insert(draw(st.integers(0, len(shape))), 1)
    axes = [axis for axis, size in enumerate(shape) if size == 1]
    x = draw(arrays(tuple(shape), draw(st.sampled_from(dtypes_of("Squeeze")))))
    return Sample("Squeeze", (x, ints(axes)) if draw(st.booleans()) else (x,))


@st.composite
def unsqueeze(draw) -> Sample:
    shape = draw(shapes(0, 3))
    rank = len(shape) + 2
    axes = draw(st.lists(st.integers(0, rank - 1), min_size=2, max_size=2, unique=True))
    axes = [axis - rank if draw(st.booleans()) else axis for axis in axes]
    return Sample("Unsqueeze", (draw(arrays(shape, "float32")), ints(axes)))


@st.composite
def concat(draw) -> Sample:
    shape = draw(shapes(1, 4))
    axis = draw(axis_of(shape))
    dtype = draw(st.sampled_from(dtypes_of("Concat")))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        own = list(shape)
        own[axis] = draw(st.integers(0, 3))
        parts.append(draw(arrays(tuple(own), dtype)))
    return Sample("Concat", tuple(parts), {"axis": axis})


@st.composite
def split(draw) -> Sample:
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    shape = list(draw(shapes(1, 4)))
    axis = draw(axis_of(tuple(shape)))
    shape[axis] = sum(lengths)
    x = draw(arrays(tuple(shape), draw(st.sampled_from(dtypes_of("Split")))))
    return Sample("Split", (x, ints(lengths)), {"axis": axis}, outputs=len(lengths))


@st.composite
def slice_(draw) -> Sample:
    shape = draw(shapes(1, 4))
    x = draw(arrays(shape, draw(st.sampled_from(dtypes_of("Slice")))))
    count = draw(st.integers(1, len(shape)))
    axes = draw(st.permutations(range(len(shape))))[:count]
    # A negative step from before the first element: the reference forgets to clamp to the first.
    starts = [draw(st.integers(-max(shape[axis], 1), 5)) for axis in axes]
    ends = [draw(st.integers(-5, 5)) for _ in axes]
    steps = [draw(st.sampled_from((-2, -1, 1, 2))) for _ in axes]
    return Sample("Slice", (x, *map(ints, (starts, ends, axes, steps))))


@st.composite
def gather(draw, op: str) -> Sample:
    shape = draw(shapes(1, 4, 1))
    axis = draw(axis_of(shape))
    x = draw(arrays(shape, draw(st.sampled_from(dtypes_of(op)))))
    own = draw(shapes(0, 2))
    if op == "GatherElements":
        own = tuple(draw(st.integers(0, size)) for size in shape)
        own = (*own[: axis % len(shape)], 3, *own[axis % len(shape) + 1 :])
    size = shape[axis]
    index = draw(arrays(own, draw(st.sampled_from(("int32", "int64"))), -size, size - 1))
    return Sample(op, (x, index), {"axis": axis})


@st.composite
def gather_nd(draw) -> Sample:
    shape = draw(shapes(1, 4, 1))
    depth = draw(st.integers(1, len(shape)))
    smallest = min(shape[:depth])
    index = draw(arrays((*draw(shapes(0, 2)), depth), "int64", -smallest, smallest - 1))
    return Sample("GatherND", (draw(arrays(shape, "float32")), index))


@st.composite
def scatter_elements(draw) -> Sample:
    shape = draw(shapes(1, 3, 1))
    axis = draw(axis_of(shape))
    dtype = draw(st.sampled_from(("float32", "float64", "int32", "int64")))
    size = shape[axis]
    own = list(shape)
    own[axis] = draw(st.integers(0, size))
    rank = np.argsort(draw(arrays(tuple(shape), "float64")), axis)  # no place is written twice
    index = np.take(rank, range(own[axis]), axis)
    reduction_ = draw(st.sampled_from(("none", "add", "mul", "max", "min")))
    inputs = (draw(arrays(shape, dtype)), index, draw(arrays(tuple(own), dtype)))
    return Sample("ScatterElements", inputs, {"axis": axis, "reduction": reduction_})


@st.composite
def expand(draw) -> Sample:
    own, target = draw(broadcastable(2))
    return Sample("Expand", (draw(arrays(own, "float32")), ints(target)))


@st.composite
def tile(draw) -> Sample:
    shape = draw(shapes(0, 4))
    repeats = [draw(st.integers(0, 2)) for _ in shape]
    return Sample(
        "Tile", (draw(arrays(shape, draw(st.sampled_from(dtypes_of("Tile"))))), ints(repeats))
    )


@st.composite
def pad(draw) -> Sample:
    shape = draw(shapes(1, 4, 2))
    mode = draw(st.sampled_from(("constant", "reflect", "edge", "wrap")))
    pads = [draw(st.integers(0, 1)) for _ in range(2 * len(shape))]
    dtype = draw(st.sampled_from(dtypes_of("Pad")))
    inputs = [draw(arrays(shape, dtype)), ints(pads)]
    if mode == "constant" and draw(st.booleans()):
        inputs.append(draw(arrays((), dtype)))
    return Sample("Pad", tuple(inputs), {"mode": mode})


@st.composite
def top_k(draw) -> Sample:
    shape = draw(shapes(1, 4, 1))
    axis = draw(axis_of(shape))
    x = draw(arrays(shape, draw(st.sampled_from(dtypes_of("TopK")))))
    k = draw(st.integers(1, shape[axis]))
    return Sample("TopK", (x, ints([k])), {"axis": axis, "largest": draw(_BIT)}, outputs=2)


@st.composite
def cum_sum(draw) -> Sample:
    shape = draw(shapes(1, 4))
    x = draw(arrays(shape, draw(st.sampled_from(("float32", "float64", "int32", "int64")))))
    attributes = {"exclusive": draw(_BIT), "reverse": draw(_BIT)}
    return Sample("CumSum", (x, ints(draw(axis_of(shape)))), attributes)


@st.composite
def trilu(draw) -> Sample:
    x = draw(arrays(draw(shapes(2, 4)), draw(st.sampled_from(dtypes_of("Trilu")))))
    return Sample("Trilu", (x, ints(draw(st.integers(-3, 3)))), {"upper": draw(_BIT)})


@st.composite
def one_hot(draw) -> Sample:
    index = draw(arrays(draw(shapes(0, 3)), "int64", -3, 2))
    axis = draw(st.integers(-index.ndim - 1, index.ndim))
    values = draw(arrays((2,), "float32"))
    return Sample("OneHot", (index, ints(3), values), {"axis": axis})


@st.composite
def range_(draw) -> Sample:
    dtype = draw(st.sampled_from(("int32", "int64", "float32", "float64")))
    start, limit = draw(st.integers(-5, 5)), draw(st.integers(-5, 5))
    delta = draw(st.sampled_from((-2, -1, 1, 2)))
    return Sample("Range", tuple(np.array(value, dtype) for value in (start, limit, delta)))


@st.composite
def compress(draw) -> Sample:
    shape = draw(shapes(1, 4))
    axis = draw(axis_of(shape))
    condition = draw(arrays((draw(st.integers(0, shape[axis])),), "bool"))
    x = draw(arrays(shape, draw(st.sampled_from(dtypes_of("Compress")))))
    return Sample("Compress", (x, condition), {"axis": axis})


@st.composite
def mat_mul(draw) -> Sample:
    batch, other = draw(broadcastable(2, high=2))
    m, k, n = (draw(st.integers(0, 3)) for _ in range(3))
    dtype = draw(st.sampled_from(("float32", "float64", "int32", "int64", "uint32", "uint64")))
    a, b = (*batch, m, k), (*other, k, n)
    if draw(st.booleans()):
        a = (k,)
    elif draw(st.booleans()):
        b = (k,)
    return Sample("MatMul", (draw(arrays(a, dtype)), draw(arrays(b, dtype))))


@st.composite
def gemm(draw) -> Sample:
    m, k, n = (draw(st.integers(1, 3)) for _ in range(3))
    dtype = draw(st.sampled_from(("float32", "float64", "int32", "int64")))
    a, b = draw(_BIT), draw(_BIT)
    c = draw(st.sampled_from((None, (), (n,), (1, n), (m, 1), (m, n))))
    inputs = [arrays((k, m) if a else (m, k), dtype), arrays((n, k) if b else (k, n), dtype)]
    inputs += [] if c is None else [arrays(c, dtype)]
    scale = st.just(1.0) if dtype.startswith("int") else st.sampled_from((0.5, 1.0, 2.0))
    attributes = {"transA": a, "transB": b, "alpha": draw(scale), "beta": draw(scale)}
    return Sample("Gemm", tuple(map(draw, inputs)), attributes)


@st.composite
def conv(draw) -> Sample:
    rank = draw(st.integers(1, 2))
    group = draw(st.integers(1, 2))
    sizes = [draw(st.integers(3, 5)) for _ in range(rank)]
    kernel = [draw(st.integers(1, 3)) for _ in range(rank)]
    attributes = {
        "strides": [draw(st.integers(1, 2)) for _ in range(rank)],
        "pads": [draw(st.integers(0, 1)) for _ in range(2 * rank)],
        "group": group,
        "kernel_shape": kernel,
    }
    x = draw(arrays((draw(st.integers(1, 2)), 2 * group, *sizes), "float32"))
    w = draw(arrays((2 * group, 2, *kernel), "float32"))
    bias = (draw(arrays((2 * group,), "float32")),) if draw(st.booleans()) else ()
    return Sample("Conv", (x, w, *bias), attributes)


@st.composite
def pool(draw, op: str) -> Sample:
    rank = draw(st.integers(1, 3))
    sizes = [draw(st.integers(3, 5)) for _ in range(rank)]
    attributes = {
        "kernel_shape": [draw(st.integers(2, 3)) for _ in range(rank)],
        "strides": [draw(st.integers(1, 2)) for _ in range(rank)],
        "pads": [draw(st.integers(0, 1)) for _ in range(2 * rank)],
    }
    if op == "AveragePool":
        attributes["count_include_pad"] = draw(_BIT)
    else:  # the reference of MaxPool mixes up pads that differ
        attributes["pads"] = attributes["pads"][:1] * 2 * rank
    return Sample(op, (draw(arrays((1, 2, *sizes), "float32")),), attributes)


@st.composite
def normalization(draw, op: str, extra: int, **attributes) -> Sample:
    # Of a single position PyTorch's kernel gives the bias and rounding noise.
    shape = (draw(st.integers(1, 2)), 4, *draw(shapes(1, 3, 2)))
    # GroupNormalization computes in float32 (its stash_type) whatever the input is.
    kinds = ("float32",) if op == "GroupNormalization" else ("float32", "float64")
    x = draw(arrays(shape, draw(st.sampled_from(kinds))))
    low = 0.5 if op == "BatchNormalization" else -2
    rows = (draw(arrays((4,), x.dtype.name, low, 2)) for _ in range(extra))
    return Sample(op, (x, *rows), attributes)


@st.composite
def layer_normalization(draw, op: str, extra: int) -> Sample:
    shape = draw(shapes(1, 4, 1))
    axis = draw(axis_of(shape))
    x = draw(arrays(shape, "float32"))
    rows = (draw(arrays(shape[axis % len(shape) :], "float32")) for _ in range(extra))
    return Sample(op, (x, *rows), {"axis": axis})


@st.composite
def spatial(draw, op: str) -> Sample:
    # The reference of GlobalMaxPool is wrong for other ranks.
    return Sample(op, (draw(arrays((1, 2, *draw(shapes(2, 2, 1))), "float32")),))


@st.composite
def block(draw, op: str) -> Sample:
    size = draw(st.integers(1, 2))
    n, c, h, w = (draw(st.integers(1, 2)) for _ in range(4))
    shape = (n, c * size**2, h, w) if op == "DepthToSpace" else (n, c, h * size, w * size)
    attributes = {"blocksize": size}
    if op == "DepthToSpace":
        attributes["mode"] = draw(st.sampled_from(("DCR", "CRD")))
    return Sample(op, (draw(arrays(shape, "float32")),), attributes)


@st.composite
def quantize(draw, op: str) -> Sample:
    shape = draw(shapes(1, 4, 1))
    axis = draw(axis_of(shape))
    kind = draw(st.sampled_from(("uint8", "int8", "uint16", "int16")))
    own = draw(st.sampled_from(((), (shape[axis],))))
    scale, zero = draw(arrays(own, "float32", 0.1, 0.5)), draw(arrays(own, kind, 0, 9))
    x = draw(arrays(shape, "float32" if op == "QuantizeLinear" else kind, 0, 9))
    return Sample(op, (x, scale, zero), {"axis": axis})


PROPERTIES: dict[str, Strategy] = {
    **{op: unary(op) for op in ("Abs", "Neg", "Relu", "Sigmoid", "Tanh", "Exp", "Floor", "Ceil")},
    **{op: unary(op) for op in ("Round", "Sign", "Erf", "Sin", "Cos", "Atan", "Sinh", "Cosh")},
    **{op: unary(op) for op in ("Asinh", "Softplus", "Softsign", "Mish", "Not")},
    **{op: unary(op) for op in ("Identity", "IsNaN", "IsInf", "BitwiseNot", "Shape", "Size")},
    **{op: unary(op, alpha=_ALPHA) for op in ("Elu", "Celu", "LeakyRelu", "ThresholdedRelu")},
    **{op: unary(op, 0.1, 3) for op in ("Log", "Sqrt", "Reciprocal")},
    **{op: unary(op, -0.9, 0.9) for op in ("Asin", "Acos", "Atanh", "Tan")},
    # The reference rounds a constant to float32 here and in Gelu.
    "HardSwish": unary("HardSwish", dtypes=("float16", "float32")),
    "Acosh": unary("Acosh", 1.1, 3),
    "Selu": unary("Selu", alpha=_ALPHA, gamma=_ALPHA),
    "Swish": unary("Swish", alpha=_ALPHA),
    "HardSigmoid": unary("HardSigmoid", alpha=_ALPHA, beta=_ALPHA),
    "Gelu": unary(
        "Gelu", dtypes=("float16", "float32"), approximate=st.sampled_from(("none", "tanh"))
    ),
    "Shrink": unary("Shrink", lambd=_ALPHA, bias=_ALPHA),
    **{op: softmax_like(op) for op in ("Softmax", "LogSoftmax", "Hardmax")},
    **{op: binary(op) for op in ("Add", "Sub", "Mul", "And", "Or", "Xor", "Equal", "Less")},
    **{op: binary(op) for op in ("LessOrEqual", "Greater", "GreaterOrEqual")},
    **{op: binary(op, 0, 9) for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")},
    "BitShift": binary("BitShift", 0, 3, direction=st.sampled_from(("LEFT", "RIGHT"))),
    "Div": binary("Div", -9, 9, divisor=True),
    "Mod": binary("Mod", -9, 9, divisor=True, fmod=_BIT),
    "Pow": binary("Pow", 0.5, 2),
    **{op: variadic(op) for op in ("Max", "Min", "Sum", "Mean")},
    **{op: reduction(op) for op in ("ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare")},
    **{op: reduction(op, 1) for op in ("ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd")},
    "ReduceLogSum": reduction("ReduceLogSum", 1, 0.1),
    "ReduceLogSumExp": reduction("ReduceLogSumExp", 1),
    **{op: arg(op) for op in ("ArgMax", "ArgMin")},
    "Clip": clip(),
    "Where": where(),
    "Cast": cast(),
    "Reshape": reshape(),
    "Reshape of nothing": reshape_nothing(),
    "Transpose": transpose(),
    "Squeeze": squeeze(),
    "Unsqueeze": unsqueeze(),
    "Flatten": unary("Flatten", least_rank=1, axis=_BIT),
    "Concat": concat(),
    "Split": split(),
    "Slice": slice_(),
    "Gather": gather("Gather"),
    "GatherElements": gather("GatherElements"),
    "GatherND": gather_nd(),
    "ScatterElements": scatter_elements(),
    "Expand": expand(),
    "Tile": tile(),
    "Pad": pad(),
    "TopK": top_k(),
    "CumSum": cum_sum(),
    "Trilu": trilu(),
    "OneHot": one_hot(),
    "Range": range_(),
    "NonZero": unary("NonZero", least_rank=1),
    "Compress": compress(),
    "DepthToSpace": block("DepthToSpace"),
    "SpaceToDepth": block("SpaceToDepth"),
    "MatMul": mat_mul(),
    "Gemm": gemm(),
    "Conv": conv(),
    "MaxPool": pool("MaxPool"),
    "AveragePool": pool("AveragePool"),
    "GlobalAveragePool": spatial("GlobalAveragePool"),
    "GlobalMaxPool": spatial("GlobalMaxPool"),
    "BatchNormalization": normalization("BatchNormalization", 4),
    "InstanceNormalization": normalization("InstanceNormalization", 2),
    "GroupNormalization": normalization("GroupNormalization", 2, num_groups=2),
    "LayerNormalization": layer_normalization("LayerNormalization", 2),
    "RMSNormalization": layer_normalization("RMSNormalization", 1),
    "LpNormalization": along_axis("LpNormalization", 1),
    "QuantizeLinear": quantize("QuantizeLinear"),
    "DequantizeLinear": quantize("DequantizeLinear"),
}
