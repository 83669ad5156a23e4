"""Operators that move elements move strings too, in both frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from converter.onnx_backend import PyTorchBackend, TensorFlowBackend
from tests.conformance.samples import Sample, model_of


def words(*items: Any) -> np.ndarray:
    return np.array(items, object)


def numbers(*items: Any) -> np.ndarray:
    return np.array(items, np.int64)


A = words(["a", "b", ""], ["dé", "a", "f"])
ROW = words(["x", "y", "z"])
BLOCK = words(["a", "b"], ["", "dé"])[None, None]
SECOND = np.array([False, True, True])
CASES: list[tuple[Sample, list[np.ndarray]]] = [
    (Sample("Identity", (A,)), [A]),
    (Sample("Shape", (A,)), [numbers(2, 3)]),
    (Sample("Reshape", (A, numbers(3, -1))), [A.reshape(3, 2)]),
    (Sample("Transpose", (A,)), [A.T]),
    (Sample("Squeeze", (A[None], numbers(0))), [A]),
    (Sample("Unsqueeze", (A, numbers(0))), [A[None]]),
    (Sample("Flatten", (A[None],), {"axis": 2}), [A]),
    (Sample("Concat", (A, ROW), {"axis": 0}), [np.concatenate([A, ROW])]),
    (Sample("Split", (A, numbers(1, 2)), {"axis": 1}, outputs=2), [A[:, :1], A[:, 1:]]),
    (Sample("Slice", (A, *map(numbers, (2, -9, 1, -1)))), [A[:, ::-1]]),
    (Sample("Gather", (A, numbers(2, -3)), {"axis": 1}), [A[:, [2, 0]]]),
    (Sample("Gather", (A, np.array(1))), [A[1]]),
    (Sample("GatherElements", (A, numbers([1, 0, 1]))), [words(["dé", "b", "f"])]),
    (Sample("GatherND", (A, numbers([1, 0], [0, 2]))), [words("dé", "")]),
    (
        Sample("ScatterElements", (A, numbers([1, 0, 1]), ROW)),
        [words(["a", "y", ""], ["x", "a", "z"])],
    ),
    (Sample("ScatterND", (A, numbers([1]), ROW)), [words(["a", "b", ""], ["x", "y", "z"])]),
    (Sample("Expand", (A[:, :1], numbers(2, 3))), [np.repeat(A[:, :1], 3, 1)]),
    (Sample("Tile", (A, numbers(2, 1))), [np.tile(A, (2, 1))]),
    (Sample("Where", (SECOND, A, words("q"))), [np.where(SECOND, A, words("q"))]),
    (Sample("Compress", (A, SECOND), {"axis": 1}), [A[:, 1:]]),
    (
        Sample("OneHot", (numbers(1, 0), numbers(2), words("off", "on"))),
        [words(["off", "on"], ["on", "off"])],
    ),
    (Sample("Pad", (A, numbers(0, 1, 0, 0))), [np.insert(A, 0, "", 1)]),
    (Sample("Pad", (A, numbers(0, 1, 0, 0), np.array("x", object))), [np.insert(A, 0, "x", 1)]),
    (Sample("Equal", (A, words("a"))), [A == "a"]),
    (Sample("Equal", (np.array("a", object), np.array("a", object))), [np.array(True)]),
    (Sample("DepthToSpace", (BLOCK.reshape(1, 4, 1, 1),), {"blocksize": 2}), [BLOCK]),
    (Sample("SpaceToDepth", (BLOCK,), {"blocksize": 2}), [BLOCK.reshape(1, 4, 1, 1)]),
    (Sample("ReverseSequence", (A, numbers(2, 2, 1))), [words(["dé", "a", ""], ["a", "b", "f"])]),
    (Sample("CenterCropPad", (A, numbers(2, 1))), [A[:, 1:2]]),
    (Sample("Trilu", (A,), {"upper": 0}), [words(["a", "", ""], ["dé", "a", ""])]),
]


def text(array: Any) -> np.ndarray:
    """Return strings as `str`, whether the framework gives them or bytes."""
    array = np.asarray(array)
    if array.dtype != object:
        return array
    decoded = [item.decode() if isinstance(item, bytes) else item for item in array.ravel()]
    return np.array(decoded, object).reshape(array.shape)


@pytest.mark.parametrize("backend", [PyTorchBackend, TensorFlowBackend], ids=["torch", "tf"])
@pytest.mark.parametrize(("sample", "wanted"), CASES, ids=lambda item: getattr(item, "op", ""))
def test_strings_are_moved(sample: Sample, wanted: list, backend: Any) -> None:
    results = backend.run_model(model_of(sample), sample.arrays())
    for result, own in zip(map(text, results), wanted, strict=True):
        assert (result.dtype == object) == (own.dtype == object)
        np.testing.assert_array_equal(result, own, strict=False)
        assert result.shape == own.shape


def test_unique_strings_come_in_order() -> None:
    sample = Sample("Unique", (A,), outputs=4)
    values, first, inverse, counts = PyTorchBackend.run_model(model_of(sample), sample.arrays())
    assert values.tolist() == ["", "a", "b", "dé", "f"]
    assert (first.tolist(), counts.tolist()) == ([2, 0, 1, 3, 5], [1, 2, 1, 1, 1])
    assert inverse.tolist() == [1, 2, 0, 3, 1, 4]
