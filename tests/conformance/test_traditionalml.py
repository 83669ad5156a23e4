"""The operators of `ai.onnx.ml` in PyTorch against ONNX Runtime."""

from __future__ import annotations

import secrets

import numpy as np
import pytest

from converter.onnx_backend import PyTorchBackend
from converter.rebuild.pytorch.traditionalml import cast_map, dict_vectorizer, zip_map
from tests.conformance.samples import Sample, model_of
from tests.conformance.suite import altered
from tests.conformance.traditionalml import SAMPLES


def by_runtime(sample: Sample) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model_of(sample).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, dict(zip(sample.names(), sample.arrays(), strict=True)))


def compare(got: np.ndarray, want: np.ndarray) -> None:
    assert got.shape == want.shape
    if want.dtype == object:
        np.testing.assert_array_equal(got, want)
        return
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SAMPLES)
def test_agrees(name: str) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    sample = SAMPLES[name](np.random.default_rng(seed))
    results = PyTorchBackend.run_model(model_of(sample), sample.arrays())
    for got, want in zip(results, by_runtime(sample), strict=True):
        compare(got, want)
        with pytest.raises(AssertionError):
            compare(got, altered(want))


def test_maps() -> None:
    import torch

    rows = zip_map(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), classlabels_strings=("a", "b"))
    assert rows == [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]
    row = dict_vectorizer({"b": 2.0, "z": 9.0}, string_vocabulary=("a", "b"), output_type=1)
    assert row.tolist() == [[0.0, 2.0]]
    assert cast_map({3: 1.5, 0: 2.5}).tolist() == [[2.5, 1.5]]
    assert cast_map({3: 1.5}, map_form="SPARSE", max_map=5).tolist() == [[0, 0, 0, 1.5, 0]]
    assert cast_map({3: "x"}, cast_to="TO_STRING").tolist() == [["x"]]
