"""The cases of the suite and how one is judged: the suite's own tolerance, shape and dtype."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper


@dataclass(frozen=True)
class Case:
    """One model with inputs and expected outputs.

    Attributes:
        kind: ``node``, ``simple``, ``pytorch-operator`` or ``pytorch-converted``.
    """

    name: str
    kind: str
    model: Any
    data_sets: Any
    rtol: float
    atol: float


@cache
def generated() -> tuple[Case, ...]:
    """Return the node cases that onnx generates."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx overflows on purpose while it makes its data
        found = collect_testcases(None)
    return tuple(
        Case(case.name, "node", case.model, case.data_sets, case.rtol, case.atol) for case in found
    )


@cache
def stored() -> tuple[Case, ...]:
    """Return the cases that onnx ships as files."""
    from onnx.backend.test.loader import load_model_tests

    return tuple(
        Case(case.name, kind, Path(case.model_dir), None, case.rtol, case.atol)
        for kind in ("simple", "pytorch-operator", "pytorch-converted")
        for case in load_model_tests(kind=kind)
    )


def all_cases() -> tuple[Case, ...]:
    """Return the whole suite, in a fixed order."""
    return generated() + stored()


def load(case: Case) -> tuple[onnx.ModelProto, Iterator[tuple[list, list]]]:
    """Return a case's model and its pairs of inputs and expected outputs, as NumPy."""
    if isinstance(case.model, Path):
        model = onnx.load(case.model / "model.onnx")
        return model, _stored_data(case.model, model)
    return case.model, (
        (
            [_plain(value) for value in inputs],
            [_plain(value) for value in outputs],
        )
        for inputs, outputs in case.data_sets
    )


def _stored_data(folder: Path, model: onnx.ModelProto) -> Iterator[tuple[list, list]]:
    for data in sorted(folder.glob("test_data_set*")):
        yield tuple(  # type: ignore[misc]
            [
                _parse(path, value.type)
                for path, value in zip(
                    sorted(data.glob(f"{role}_*.pb"), key=lambda p: int(p.stem.split("_")[1])),
                    values,
                    strict=False,
                )
            ]
            for role, values in (("input", model.graph.input), ("output", model.graph.output))
        )


def _parse(path: Path, type_: onnx.TypeProto) -> Any:
    if type_.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(path.read_bytes()))
    if type_.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(path.read_bytes()))
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def _plain(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, onnx.SequenceProto):
        return numpy_helper.to_list(value)
    if isinstance(value, onnx.OptionalProto):
        return numpy_helper.to_optional(value)
    return value


BFLOAT16_RTOL = 2**-6
"""What the suite's own runner allows for bfloat16: two units in the last place."""


def compare(actual: Any, expected: Any, case: Case) -> None:
    """Raise `AssertionError` where a result is not what the suite says, by its own rules."""
    if isinstance(expected, list):
        assert isinstance(actual, list | tuple), f"a sequence is wanted, got {type(actual)}"
        assert len(actual) == len(expected), f"{len(actual)} items, {len(expected)} wanted"
        for got, want in zip(actual, expected, strict=True):
            compare(got, want, case)
        return
    if expected is None:
        assert actual is None, "an absent optional is wanted"
        return
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"shape {actual.shape}, {expected.shape} wanted"
    if expected.dtype == object or expected.dtype.kind in "SU":
        np.testing.assert_array_equal(actual.astype(str), expected.astype(str))
        return
    assert actual.dtype == expected.dtype, f"dtype {actual.dtype}, {expected.dtype} wanted"
    rtol = max(case.rtol, BFLOAT16_RTOL) if expected.dtype.name == "bfloat16" else case.rtol
    if expected.dtype.kind == "V" or expected.dtype.itemsize == 1:  # small floats of ml_dtypes
        actual, expected = actual.astype(np.float32), expected.astype(np.float32)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=case.atol)


def run(backend: Any, case: Case) -> list[tuple[Any, Any]]:
    """Rebuild a case's model, run it on each data set, and pair results with expectations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, data = load(case)
        prepared = backend.prepare(model)
        return [
            pair
            for inputs, expected in data
            for pair in zip(prepared.run(inputs), expected, strict=True)
        ]


def judge(pairs: list[tuple[Any, Any]], case: Case) -> None:
    """Compare every result with its expectation."""
    for got, want in pairs:
        compare(got, want, case)


def judge_form(pairs: list[tuple[Any, Any]]) -> None:
    """Compare shapes and element types only: what can be said of random output."""
    for got, want in pairs:
        assert got.shape == want.shape, f"shape {got.shape}, {want.shape} wanted"
        assert got.dtype == want.dtype, f"dtype {got.dtype}, {want.dtype} wanted"


def altered(expected: Any) -> Any:
    """Return an expectation that no right result can meet: the planted fault."""
    if isinstance(expected, list):
        return [altered(item) for item in expected] if expected else [np.zeros(1)]
    if expected is None:
        return np.zeros(1)
    array = np.asarray(expected)
    if array.size == 0:
        return np.zeros((*array.shape, 2), array.dtype)
    if array.dtype == object or array.dtype.kind in "SU":
        return np.array([f"{item}!" for item in array.ravel()], object).reshape(array.shape)
    if array.dtype.kind == "b":
        return ~array
    if array.dtype.kind in "iu":
        bits = array.view(f"u{array.dtype.itemsize}")  # the top bit: half of the type's range away
        return (bits ^ bits.dtype.type(1 << (8 * bits.dtype.itemsize - 1))).view(array.dtype)
    wide = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    moved = np.where(np.isfinite(wide), -wide - np.sign(wide.real + 0.5) * (1 + np.abs(wide)), 0)
    with np.errstate(over="ignore"):
        return moved.astype(array.dtype)
