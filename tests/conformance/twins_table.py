"""Operators that are compared between the frameworks only, and what integers give exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from tests.conformance.properties import Strategy, arrays, axis_of, ints, shapes
from tests.conformance.samples import Sample

_BIT = st.integers(0, 1)
_WAYS = (
    "half_pixel",
    "asymmetric",
    "align_corners",
    "pytorch_half_pixel",
    "half_pixel_symmetric",
    "tf_crop_and_resize",
)


@st.composite
def resize(draw) -> Sample:
    mode, way = draw(st.sampled_from(("nearest", "linear", "cubic"))), draw(st.sampled_from(_WAYS))
    shape = (1, 2, draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    dtype = draw(
        st.sampled_from(("float32", "float64", "int32") if mode == "nearest" else ("float32",))
    )
    x, attributes = (
        draw(arrays(shape, dtype)),
        {"mode": mode, "coordinate_transformation_mode": way},
    )
    if mode == "nearest":
        attributes["nearest_mode"] = draw(
            st.sampled_from(("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"))
        )
    else:
        attributes["exclude_outside"] = draw(_BIT) if mode == "cubic" else 0
        attributes["antialias"] = 0 if way == "tf_crop_and_resize" else draw(_BIT)
    roi = None
    if way == "tf_crop_and_resize":
        roi = np.array([0, 0, 0.1, -0.2, 1, 1, 0.9, 1.1], np.float32)
    if draw(st.booleans()):
        sizes = ints([*shape[:2], draw(st.integers(1, 8)), draw(st.integers(1, 8))])
        return Sample("Resize", (x, roi, None, sizes), attributes)
    factors = [draw(st.sampled_from((1, 1.3, 1.7, 2, 3))) for _ in range(2)]
    return Sample("Resize", (x, roi, np.array([1, 1, *factors], np.float32)), attributes)


@st.composite
def upsample(draw) -> Sample:
    x = draw(arrays((1, 2, draw(st.integers(1, 4)), draw(st.integers(1, 4))), "float32"))
    factors = [draw(st.sampled_from((1, 1.5, 2, 3))) for _ in range(2)]
    attributes = {"mode": draw(st.sampled_from(("nearest", "linear")))}
    return Sample("Upsample", (x, np.array([1, 1, *factors], "f4")), attributes, version=9)


@st.composite
def recurrent(draw, op: str, gates: int) -> Sample:
    length, batch, features, hidden = (draw(st.integers(1, 3)) for _ in range(4))
    direction = draw(st.sampled_from(("forward", "reverse", "bidirectional")))
    ways = 2 if direction == "bidirectional" else 1
    inputs = [
        draw(arrays((length, batch, features), "float32")),
        draw(arrays((ways, gates * hidden, features), "float32")),
        draw(arrays((ways, gates * hidden, hidden), "float32")),
        draw(arrays((ways, 2 * gates * hidden), "float32")) if draw(st.booleans()) else None,
        draw(arrays((batch,), "int32", 1, length)) if draw(st.booleans()) else None,
        draw(arrays((ways, batch, hidden), "float32")) if draw(st.booleans()) else None,
    ]
    while inputs[-1] is None:
        inputs.pop()
    attributes = {"hidden_size": hidden, "direction": direction}
    if op == "GRU":
        attributes["linear_before_reset"] = draw(_BIT)
    return Sample(op, tuple(inputs), attributes, outputs=3 if op == "LSTM" else 2)


@st.composite
def attention(draw) -> Sample:
    batch, heads, q, kv, size = (draw(st.integers(1, 3)) for _ in range(5))
    shapes_ = ((batch, heads, q, size), (batch, heads, kv, size), (batch, heads, kv, size))
    inputs = [draw(arrays(shape, "float32")) for shape in shapes_]
    if draw(st.booleans()):
        inputs.append(draw(arrays((q, kv), "float32")))
    return Sample("Attention", tuple(inputs), {"is_causal": draw(_BIT)}, version=23)


@st.composite
def einsum(draw) -> Sample:
    i, j, k = (draw(st.integers(0, 3)) for _ in range(3))
    equation, first, second = draw(
        st.sampled_from(
            (
                ("ij,jk->ik", (i, j), (j, k)),
                ("ij,ij->", (i, j), (i, j)),
                ("i,j->ji", (i,), (j,)),
                ("bij,bjk->bik", (2, i, j), (2, j, k)),
                ("...j,j->...", (i, k, j), (j,)),
            )
        )
    )
    x, y = draw(arrays(first, "float32")), draw(arrays(second, "float32"))
    return Sample("Einsum", (x, y), {"equation": equation})


@st.composite
def conv_transpose(draw) -> Sample:
    group, rank = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel = [draw(st.integers(1, 3)) for _ in range(rank)]
    strides = [draw(st.integers(1, 3)) for _ in range(rank)]
    attributes = {"strides": strides, "group": group, "kernel_shape": kernel}
    attributes["dilations"] = [draw(st.integers(1, 2)) for _ in range(rank)]
    way = draw(st.sampled_from(("pads", "SAME_UPPER", "SAME_LOWER")))
    if way == "pads":
        attributes["pads"] = [draw(_BIT) if k > 1 else 0 for k in kernel] * 2
        attributes["output_padding"] = [draw(st.integers(0, s - 1)) for s in strides]
    else:
        attributes["auto_pad"] = way
    x = draw(arrays((1, 2 * group, *(draw(st.integers(2, 4)) for _ in kernel)), "float32"))
    w = draw(arrays((2 * group, 2, *kernel), "float32"))
    bias = (draw(arrays((2 * group,), "float32")),) if draw(st.booleans()) else ()
    return Sample("ConvTranspose", (x, w, *bias), attributes)


@st.composite
def grid_sample(draw) -> Sample:
    x = draw(arrays((2, 2, draw(st.integers(1, 4)), draw(st.integers(1, 4))), "float32"))
    grid = draw(arrays((2, 2, 3, 2), "float32", -1.4, 1.4))
    attributes = {
        "mode": draw(st.sampled_from(("linear", "nearest", "cubic"))),
        "padding_mode": draw(st.sampled_from(("zeros", "border", "reflection"))),
        "align_corners": draw(_BIT),
    }
    return Sample("GridSample", (x, grid), attributes)


@st.composite
def scatter_nd(draw) -> Sample:
    shape = draw(shapes(1, 3, 1))
    count = draw(st.integers(0, shape[0]))
    rows = draw(st.permutations(range(shape[0])))[:count]
    dtype = draw(st.sampled_from(("float32", "int64")))
    x, updates = draw(arrays(shape, dtype)), draw(arrays((count, *shape[1:]), dtype))
    how = draw(st.sampled_from(("none", "add", "mul", "max", "min")))
    return Sample("ScatterND", (x, ints(rows).reshape(-1, 1), updates), {"reduction": how})


@st.composite
def unique(draw) -> Sample:
    shape = draw(shapes(1, 3, 1))
    x = draw(arrays(shape, draw(st.sampled_from(("float32", "int64"))), 0, 2)).round()
    attributes = {"sorted": draw(_BIT)}
    if draw(st.booleans()):
        attributes["axis"] = draw(axis_of(shape))
    return Sample("Unique", (x,), attributes, outputs=4)


@st.composite
def roi_align(draw) -> Sample:
    x = draw(arrays((2, 2, 6, 5), "float32"))
    count = draw(st.integers(0, 3))
    corner, size = (
        draw(arrays((count, 2), "float32", 0, 3)),
        draw(arrays((count, 2), "float32", 1, 3)),
    )
    boxes = np.concatenate([corner, corner + size], 1)
    attributes = {
        "output_height": 2,
        "output_width": 3,
        "sampling_ratio": 2,
        "mode": draw(st.sampled_from(("avg", "max"))),
        "coordinate_transformation_mode": draw(
            st.sampled_from(("half_pixel", "output_half_pixel"))
        ),
    }
    return Sample("RoiAlign", (x, boxes, draw(arrays((count,), "int64", 0, 1))), attributes)


@st.composite
def non_max_suppression(draw) -> Sample:
    count = draw(st.integers(0, 5))
    corner, size = (
        draw(arrays((1, count, 2), "float32", 0, 1)),
        draw(arrays((1, count, 2), "float32", 0.3, 1)),
    )
    boxes = np.concatenate([corner, corner + size], 2)
    scores = draw(arrays((1, 2, count), "float32", 0, 1))
    limits = (np.float32(draw(st.sampled_from((0.2, 0.5)))), np.float32(0.1))
    return Sample("NonMaxSuppression", (boxes, scores, ints([3]), *map(np.array, limits)))


TWINS: dict[str, Strategy] = {
    "Resize": resize(),
    "Upsample": upsample(),
    "RNN": recurrent("RNN", 1),
    "GRU": recurrent("GRU", 3),
    "LSTM": recurrent("LSTM", 4),
    "Attention": attention(),
    "Einsum": einsum(),
    "ConvTranspose": conv_transpose(),
    "GridSample": grid_sample(),
    "ScatterND": scatter_nd(),
    "Unique": unique(),
    "RoiAlign": roi_align(),
    "NonMaxSuppression": non_max_suppression(),
}


def _same(op: str, wanted: Callable, *others, **attributes):
    """Return a function of ``x`` that gives a sample and what NumPy says of it exactly."""
    return lambda x: (Sample(op, (x, *others), attributes), wanted(x))


def _with(op: str, wanted: Callable, y: Callable, **attributes):
    return lambda x: (Sample(op, (x, y(x)), attributes), wanted(x, y(x)))


_NEXT = lambda x: x - 1  # noqa: E731
_SMALL = lambda x: np.full_like(x, 3)  # noqa: E731

LARGE: dict[str, Callable[[np.ndarray], tuple[Sample, np.ndarray]]] = {
    "Add": _with("Add", np.add, _SMALL),
    "Sub": _with("Sub", np.subtract, _SMALL),
    "Div": _with("Div", lambda x, y: x // y, _SMALL),
    "Mod": _with("Mod", lambda x, y: x % y, _SMALL),
    "Max": _with("Max", np.maximum, _NEXT),
    "Min": _with("Min", np.minimum, _NEXT),
    "Equal": _with("Equal", np.equal, _NEXT),
    "Less": _with("Less", np.less, _NEXT),
    "Abs": _same("Abs", np.abs),
    "Neg": _same("Neg", np.negative),
    "Clip": _same("Clip", lambda x: x),
    "Identity": _same("Identity", lambda x: x),
    "ReduceMax": _same("ReduceMax", lambda x: x.max((2, 3)), ints([2, 3]), keepdims=0),
    "ReduceMin": _same("ReduceMin", lambda x: x.min((2, 3)), ints([2, 3]), keepdims=0),
    "ReduceSum": _same("ReduceSum", lambda x: x.sum(3, dtype=x.dtype), ints([3]), keepdims=0),
    "CumSum": _same("CumSum", lambda x: x.cumsum(3, dtype=x.dtype), ints(3)),
    "Transpose": _same("Transpose", lambda x: x.transpose(3, 1, 0, 2), perm=[3, 1, 0, 2]),
    "Gather": _same("Gather", lambda x: x[:, [2, 0]], ints([2, 0]), axis=1),
    "Pad": _same(
        "Pad", lambda x: np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 2))), ints([0, 0, 0, 1, 0, 0, 0, 2])
    ),
    "Tile": _same("Tile", lambda x: np.tile(x, (1, 1, 2, 1)), ints([1, 1, 2, 1])),
    "TopK": lambda x: (Sample("TopK", (x, ints([2])), outputs=2), np.sort(x, -1)[..., :1:-1]),
    "ArgMax": _same("ArgMax", lambda x: x.argmax(3)[..., None], axis=3),
    "SpaceToDepth": lambda x: (Sample("SpaceToDepth", (x,), {"blocksize": 2}), _blocks(x)),
    "Resize": _same(
        "Resize",
        lambda x: x.repeat(2, 2).repeat(2, 3),
        None,
        np.array([1, 1, 2, 2], np.float32),
        mode="nearest",
    ),
}


def _blocks(x: np.ndarray) -> np.ndarray:
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, 4 * c, h // 2, w // 2)
