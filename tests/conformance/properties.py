"""Random samples of the most used operators, for both frameworks, judged by onnx.reference.

Shapes run from rank 0 to rank 5 and hold zeros and ones; element types are those of the schema.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import onnx.defs
from hypothesis import assume
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from tests.conformance.samples import Sample, model_of, newest_opset

Strategy = st.SearchStrategy[Sample]

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
TOLERANCE = {"float16": (1e-2, 1e-2), "float32": (1e-4, 1e-5), "float64": (1e-7, 1e-8)}
"""Relative and absolute, by element type; everything else is compared exactly."""


@cache
def dtypes_of(op: str, position: int = 0, domain: str = "") -> tuple[str, ...]:
    """Return the NumPy element types that an operator's input may have."""
    schema = onnx.defs.get_schema(op, newest_opset(domain), domain)
    declared = schema.inputs[position]
    spelled = {"double": "float64", "float": "float32"}
    allowed = {t[7:-1] for t in declared.types if t.startswith("tensor(")}
    allowed = {spelled.get(t, t) for t in allowed}
    return tuple(t for t in (*FLOATS, *INTEGERS, "bool") if t in allowed)


# ------------------------------------------------------------------ pieces


def shapes(low: int = 0, high: int = 5, smallest: int = 0) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(smallest, 3), min_size=low, max_size=high).map(tuple)


@st.composite
def arrays(draw, shape, dtype: str, low: float = -3, high: float = 3) -> np.ndarray:
    """Draw a seed, not the elements: shapes and attributes are what matters, and shrink."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype in FLOATS:
        return rng.uniform(low, high, shape).astype(dtype)
    smallest = max(int(math.ceil(low)), 0 if dtype.startswith("u") else -100)
    return rng.integers(smallest, int(high) + 1, shape).astype(dtype)


@st.composite
def broadcastable(draw, count: int, high: int = 5) -> list[tuple[int, ...]]:
    """Draw shapes that broadcast against each other."""
    common = draw(shapes(0, high))
    result = []
    for _ in range(count):
        kept = common[draw(st.integers(0, len(common))) :]
        result.append(tuple(draw(st.sampled_from((1, size))) for size in kept))
    return result


def axis_of(shape: tuple[int, ...]) -> st.SearchStrategy[int]:
    return st.integers(-len(shape), len(shape) - 1)


def ints(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.int64)


# ------------------------------------------------------------------ families


def unary(
    op: str,
    low: float = -3,
    high: float = 3,
    least_rank: int = 0,
    dtypes: tuple[str, ...] = (),
    **choices,
) -> Strategy:
    @st.composite
    def sample(draw) -> Sample:
        shape = draw(shapes(least_rank))
        x = draw(arrays(shape, draw(st.sampled_from(dtypes or dtypes_of(op))), low, high))
        attributes = {name: draw(values) for name, values in choices.items()}
        return Sample(op, (x,), attributes)

    return sample()


def along_axis(op: str, smallest: int = 0) -> Strategy:
    @st.composite
    def sample(draw) -> Sample:
        shape = draw(shapes(1, smallest=smallest))
        x = draw(arrays(shape, draw(st.sampled_from(dtypes_of(op)))))
        return Sample(op, (x,), {"axis": draw(axis_of(shape))})

    return sample()


def binary(op: str, low: float = -3, high: float = 3, divisor: bool = False, **choices) -> Strategy:
    @st.composite
    def sample(draw) -> Sample:
        first, second = draw(broadcastable(2))
        dtype = draw(st.sampled_from(dtypes_of(op)))
        a, b = draw(arrays(first, dtype, low, high)), draw(arrays(second, dtype, low, high))
        if divisor and dtype != "bool":
            b = np.where(np.abs(b.astype(np.float64)) < 0.5, b.dtype.type(1), b)
        attributes = {name: draw(values) for name, values in choices.items()}
        if op == "Mod" and dtype in FLOATS:
            attributes["fmod"] = 1
        return Sample(op, (a, b), attributes)

    return sample()


def variadic(op: str) -> Strategy:
    @st.composite
    def sample(draw) -> Sample:
        dtype = draw(st.sampled_from(dtypes_of(op)))
        found = draw(broadcastable(draw(st.integers(1, 3)), high=4))
        return Sample(op, tuple(draw(arrays(shape, dtype)) for shape in found))

    return sample()


def reduction(op: str, smallest: int = 0, low: float = -3) -> Strategy:
    @st.composite
    def sample(draw) -> Sample:
        shape = draw(shapes(0, 5, smallest))
        x = draw(arrays(shape, draw(st.sampled_from(dtypes_of(op))), low))
        axes = draw(st.lists(st.integers(0, max(len(shape) - 1, 0)), unique=True, max_size=3))
        signed = [axis - len(shape) if draw(st.booleans()) else axis for axis in axes]
        given = ints(signed) if shape and draw(st.booleans()) else None
        attributes = {"keepdims": draw(st.integers(0, 1))}
        if given is not None:
            attributes["noop_with_empty_axes"] = draw(st.integers(0, 1))
        return Sample(op, (x,) if given is None else (x, given), attributes)

    return sample()


def arg(op: str) -> Strategy:
    @st.composite
    def sample(draw) -> Sample:
        shape = draw(shapes(1, 4, 1))
        x = draw(arrays(shape, draw(st.sampled_from(dtypes_of(op)))))
        attributes = {"axis": draw(axis_of(shape)), "keepdims": draw(st.integers(0, 1))}
        return Sample(op, (x,), attributes | {"select_last_index": draw(st.integers(0, 1))})

    return sample()


# ------------------------------------------------------------------ check


def expected(sample: Sample) -> list[np.ndarray]:
    """Return what onnx.reference says; discard the sample where it has no answer."""
    model = model_of(sample)
    feeds = {f"in{i}": x for i, x in enumerate(sample.inputs) if x is not None}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return ReferenceEvaluator(model).run(None, feeds)
        except Exception:  # the reference has holes of its own
            assume(False)
            raise


def check(backend: Any, sample: Sample, alter: Callable[[Any], Any] = lambda x: x) -> None:
    """Compare a backend's results with the reference's: shape, element type, values.

    Raises:
        AssertionError: they differ.
    """
    model = model_of(sample)
    wanted = [alter(x) for x in expected(sample)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = backend.run_model(model, sample.arrays())
    for got, want, declared in zip(results, wanted, model.graph.output, strict=True):
        inferred = declared.type.tensor_type.elem_type  # 0: inference did not get there
        kind = onnx.helper.tensor_dtype_to_np_dtype(inferred) if inferred else np.dtype(want.dtype)
        assert got.dtype == kind, f"{got.dtype}, {kind} declared"
        assert got.shape == np.shape(want), f"shape {got.shape}, {np.shape(want)} wanted"
        rtol, atol = TOLERANCE.get(kind.name, (0, 0))
        np.testing.assert_allclose(got, np.asarray(want).astype(kind), rtol=rtol, atol=atol)
