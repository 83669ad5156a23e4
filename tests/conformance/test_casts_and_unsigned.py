"""Rounding to the small types against ml_dtypes, and unsigned arithmetic above the signed range."""

from __future__ import annotations

import secrets

import ml_dtypes
import numpy as np
import pytest

from converter.onnx_backend import PyTorchBackend
from tests.conformance.samples import Sample, model_of

SMALL = {
    "float8_e4m3fn": 17,
    "float8_e4m3fnuz": 18,
    "float8_e5m2": 19,
    "float8_e5m2fnuz": 20,
    "uint4": 21,
    "int4": 22,
    "float4_e2m1fn": 23,
    "bfloat16": 16,
}


@pytest.fixture
def rng() -> np.random.Generator:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    return np.random.default_rng(seed)


def run(sample: Sample) -> np.ndarray:
    return PyTorchBackend.run_model(model_of(sample), sample.arrays())[0]


@pytest.mark.parametrize("name", SMALL)
def test_rounding(name: str, rng: np.random.Generator) -> None:
    """Random numbers, all values of the type, and the ties halfway between two of them."""
    kind = np.dtype(getattr(ml_dtypes, name))
    if kind.itemsize == 1 and "int" not in name:
        values = np.arange(16 if "float4" in name else 256, dtype=np.uint8).view(kind)
        values = np.unique(values.astype(np.float32))
        values = values[np.isfinite(values)]
        x = np.concatenate((values, (values[1:] + values[:-1]) / 2, rng.normal(size=300)))
    else:
        x = rng.uniform(0 if name == "uint4" else -8, 7, 300)
    x = x.astype(np.float32)
    got = run(Sample("Cast", (x,), {"to": SMALL[name], "saturate": 0}))
    assert got.dtype == kind
    np.testing.assert_array_equal(got.astype(np.float32), x.astype(kind).astype(np.float32))


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz"])
@pytest.mark.parametrize("saturate", [0, 1])
def test_what_is_too_large(name: str, saturate: int) -> None:
    kind = np.dtype(getattr(ml_dtypes, name))
    largest = float(ml_dtypes.finfo(kind).max)
    x = np.array([largest, -largest, 2 * largest, -3 * largest], np.float32)
    got = run(Sample("Cast", (x,), {"to": SMALL[name], "saturate": saturate})).astype(np.float32)
    want = np.clip(x, -largest, largest) if saturate else x.astype(kind).astype(np.float32)
    np.testing.assert_array_equal(got, want)


BINARY = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.floor_divide,
    "Mod": np.mod,
    "Max": np.maximum,
    "Min": np.minimum,
    "Less": np.less,
    "GreaterOrEqual": np.greater_equal,
    "Equal": np.equal,
    "BitwiseXor": np.bitwise_xor,
}


@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("op", BINARY)
def test_unsigned(op: str, kind: str, rng: np.random.Generator) -> None:
    high = np.iinfo(kind).max
    a, b = (rng.integers(0, high, 200, dtype=kind, endpoint=True) for _ in range(2))
    b[:50] = rng.integers(1, 9, 50, dtype=kind)
    a[a == 0] = b[b == 0] = 1
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(run(Sample(op, (a, b))), BINARY[op](a, b))
        if op in ("Sub", "Div", "Mod", "Less", "GreaterOrEqual"):  # the planted fault: exchanged
            assert not np.array_equal(run(Sample(op, (b, a))), BINARY[op](a, b))


@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin", "ReduceSum", "ArgMax"])
@pytest.mark.parametrize("kind", ["uint32", "uint64"])
def test_unsigned_reductions(op: str, kind: str, rng: np.random.Generator) -> None:
    x = rng.integers(0, np.iinfo(kind).max, (4, 5), dtype=kind, endpoint=True)
    function = {"ReduceMax": np.max, "ReduceMin": np.min, "ReduceSum": np.sum, "ArgMax": np.argmax}
    attributes = {"keepdims": 0} | ({"axis": 0} if op == "ArgMax" else {})
    axes = () if op == "ArgMax" else (np.array([0]),)
    want = function[op](x, axis=0)
    got = run(Sample(op, (x, *axes), attributes))
    np.testing.assert_array_equal(got, want.astype(got.dtype))


@pytest.mark.parametrize("kind", ["uint32", "uint64"])
def test_unsigned_top_k_and_shift(kind: str, rng: np.random.Generator) -> None:
    x = rng.integers(0, np.iinfo(kind).max, 20, dtype=kind, endpoint=True)
    got = run(Sample("TopK", (x, np.array([5])), outputs=2))
    np.testing.assert_array_equal(got, np.sort(x)[::-1][:5])
    amount = rng.integers(0, 31, 20).astype(kind)
    got = run(Sample("BitShift", (x, amount), {"direction": "RIGHT"}))
    np.testing.assert_array_equal(got, x >> amount)
