"""Comparison of one output: what is equal, what is not, and what the report says of it."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

from verify.compare import CHUNK, compare
from verify.tolerance import Tolerance, limit, tolerance

FLOATS = ("float64", "float32", "float16", "bfloat16")


def dtype(name: str) -> np.dtype:
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


@pytest.mark.parametrize("name", FLOATS)
def test_rounding_passes_and_a_fault_of_three_limits_fails(name: str, generator) -> None:
    exact = generator.standard_normal((5, 7))
    a = exact.astype(dtype(name))
    allowed = limit(name, float(np.abs(a.astype(np.float64)).max()), Tolerance()).absolute
    noisy = (a.astype(np.float64) + generator.uniform(-0.3, 0.3, a.shape) * allowed).astype(a.dtype)
    assert compare("y", a, noisy).passed
    wrong = a.copy()
    index = np.unravel_index(np.argmax(np.abs(exact)), exact.shape)
    wrong[index] = wrong[index].astype(np.float64) + 3 * allowed
    item = compare("y", a, wrong)
    assert not item.passed
    assert item.mismatches == 1
    assert str(list(map(int, index))) in item.reason


def test_metrics_are_those_of_the_formulas(generator) -> None:
    a = generator.standard_normal((3, 50)).astype(np.float32)
    b = (a + generator.standard_normal(a.shape) * 1e-3).astype(np.float32)
    x, y = a.astype(np.float64), b.astype(np.float64)
    item = compare("y", a, b)
    assert item.max_abs == pytest.approx(np.abs(x - y).max(), rel=1e-12)
    assert item.mean_abs == pytest.approx(np.abs(x - y).mean(), rel=1e-12)
    assert item.max_rel == pytest.approx(np.abs(x - y).max() / np.abs(x).max(), rel=1e-12)
    cosine = (x * y).sum() / np.linalg.norm(x) / np.linalg.norm(y)
    assert item.cosine == pytest.approx(cosine, rel=1e-12)
    snr = 10 * math.log10((x**2).sum() / ((x - y) ** 2).sum())
    assert item.snr_db == pytest.approx(snr, rel=1e-12)


def test_a_fault_in_a_later_chunk_is_seen(generator) -> None:
    a = generator.standard_normal(CHUNK + 10).astype(np.float32)
    b = a.copy()
    assert compare("y", a, b).passed
    b[-1] += 1
    item = compare("y", a, b)
    assert not item.passed
    assert f"[{CHUNK + 9}]" in item.reason


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_must_be_at_the_same_place(value: float, generator) -> None:
    a = generator.standard_normal((4, 4)).astype(np.float32)
    a[1, 2] = value
    assert compare("y", a, a.copy()).passed
    for wrong in (0.0, np.nan, np.inf, -np.inf):
        b = a.copy()
        b[1, 2] = wrong
        same = wrong == value or (math.isnan(wrong) and math.isnan(value))
        assert compare("y", a, b).passed is same, wrong
    moved = a.copy()
    moved[1, 2], moved[2, 1] = moved[2, 1], moved[1, 2]
    assert not compare("y", a, moved).passed


@pytest.mark.parametrize("name", ["int8", "uint8", "int32", "int64", "uint64", "bool"])
def test_integers_and_booleans_must_be_equal(name: str, generator) -> None:
    a = generator.integers(0, 2, (6, 5)).astype(name)
    assert compare("y", a, a.copy()).passed
    b = a.copy()
    b[3, 3] = not b[3, 3]
    assert compare("y", a, b).mismatches == 1
    assert not compare("y", a, b, Tolerance(rtol=1.0, atol=10.0)).passed


def test_integers_beyond_the_precision_of_floats_are_told_apart() -> None:
    a = np.array([2**62, 2**62 + 1])
    assert compare("y", a, a.copy()).passed
    assert compare("y", a, a + [0, 1]).mismatches == 1


def test_texts_must_be_equal_whether_bytes_or_not() -> None:
    a = np.array([["é", "b"]], dtype=object)
    assert compare("y", a, np.array([["é".encode(), b"b"]], dtype=object)).passed
    assert compare("y", a, np.array([["é", "c"]], dtype=object)).mismatches == 1


def test_complex_numbers(generator) -> None:
    a = (generator.standard_normal(9) + 1j * generator.standard_normal(9)).astype(np.complex64)
    assert compare("y", a, a.copy()).passed
    assert not compare("y", a, a.conj()).passed


def test_shapes_and_dtypes_are_strict(generator) -> None:
    a = generator.standard_normal((2, 3)).astype(np.float32)
    assert "dtype float64 instead of float32" in compare("y", a, a.astype(np.float64)).reason
    assert "dtype" in compare("y", a.astype(np.int64), a.astype(np.int32)).reason
    assert "shape [2,3,1] instead of [2,3]" in compare("y", a, a[..., None]).reason


def test_outputs_without_elements_and_without_axes() -> None:
    empty = np.zeros((0, 3), np.float32)
    assert compare("y", empty, empty.copy()).passed
    assert not compare("y", empty, np.zeros((0, 4), np.float32)).passed
    one = np.array(2.5, np.float32)
    assert compare("y", one, one.copy()).passed
    assert not compare("y", one, np.array(2.6, np.float32)).passed


@pytest.mark.parametrize("order", [(0, 2, 3, 1), (0, 3, 1, 2), (1, 0, 2, 3)])
def test_a_permutation_that_would_match_is_named_and_fails(order, generator) -> None:
    a = generator.standard_normal((3, 3, 3, 3)).astype(np.float32)
    item = compare("y", a, a.transpose(np.argsort(order)))
    assert not item.passed
    assert f"transposed ({','.join(map(str, order))})" in item.reason
    noise = generator.standard_normal(a.shape).astype(np.float32)
    assert "transposed" not in compare("y", a, noise).reason


def test_a_constant_does_not_match_by_permutation() -> None:
    item = compare("y", np.ones((2, 3), np.float32), np.ones((3, 2), np.float32))
    assert not item.passed
    assert "matches" not in item.reason


def test_zeros_may_come_back_as_rounding_but_not_as_more() -> None:
    zeros = np.zeros(8, np.float32)
    assert compare("y", zeros, zeros + np.float32(5e-8)).passed
    assert not compare("y", zeros, zeros + np.float32(1e-5)).passed


def test_small_outputs_are_judged_by_their_own_size(generator) -> None:
    """A softmax over 30,000 classes: every probability is about 3e-5."""
    logits = generator.standard_normal(30_000)
    a = (np.exp(logits) / np.exp(logits).sum()).astype(np.float32)
    assert compare("y", a, a * np.float32(1 + 1e-6)).passed
    assert not compare("y", a, a * np.float32(1 + 1e-4)).passed


def test_numbers_of_the_user_are_per_element() -> None:
    a, b = np.array([100.0, 1.0]), np.array([101.0, 1.001])
    assert compare("y", a, b, tolerance(rtol=0.011)).passed
    assert not compare("y", a, b, tolerance(rtol=0.009)).passed
    assert not compare("y", a, b + [0, 0.1], tolerance(rtol=0.011)).passed
    assert compare("y", a, b, tolerance(atol=1.1)).passed


def test_noise_raises_the_limit_and_the_ceiling_holds() -> None:
    a = np.array([1.0, -0.5], np.float32)
    b = a + np.float32(2e-4)
    assert not compare("y", a, b).passed
    assert compare("y", a, b, noise=1.4e-4).passed
    assert not compare("y", a, a + np.float32(7e-4), noise=1.4e-4).passed
    assert not compare("y", a, a + np.float32(2e-3), noise=1.0).passed
