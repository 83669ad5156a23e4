"""The operators of `ai.onnx.ml` in TensorFlow against ONNX Runtime."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
import tensorflow as tf

from converter.onnx_backend import TensorFlowBackend
from converter.rebuild.tensorflow.traditionalml import cast_map, dict_vectorizer, zip_map
from tests.conformance.samples import model_of
from tests.conformance.suite import altered
from tests.conformance.test_traditionalml import by_runtime, compare
from tests.conformance.traditionalml import SAMPLES


@pytest.mark.parametrize("name", SAMPLES)
def test_agrees(name: str) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    sample = SAMPLES[name](np.random.default_rng(seed))
    results = TensorFlowBackend.run_model(model_of(sample), sample.arrays())
    for got, want in zip(results, by_runtime(sample), strict=True):
        compare(got, want)
        with pytest.raises(AssertionError):
            compare(got, altered(want))


def test_maps() -> None:
    rows = zip_map(tf.constant([[1.0, 2.0], [3.0, 4.0]]), classlabels_strings=("a", "b"))
    assert [{key: float(x) for key, x in row.items()} for row in rows] == [
        {"a": 1.0, "b": 2.0},
        {"a": 3.0, "b": 4.0},
    ]
    function = tf.function(lambda x: zip_map(x, classlabels_strings=("a", "b")))
    with pytest.raises(NotImplementedError, match="open number of rows"):
        function.get_concrete_function(tf.TensorSpec([None, 2], tf.float32))
    numbers = {"b": tf.constant(2.0), "z": tf.constant(9.0)}
    row = dict_vectorizer(numbers, string_vocabulary=("a", "b"))
    assert row.numpy().tolist() == [[0.0, 2.0]]
    assert cast_map({3: tf.constant(1.5), 0: tf.constant(2.5)}).numpy().tolist() == [[2.5, 1.5]]
    sparse = cast_map({3: tf.constant(1.5)}, map_form="SPARSE", max_map=5)
    assert sparse.numpy().tolist() == [[0, 0, 0, 1.5, 0]]
    text = cast_map({3: tf.constant("x")}, cast_to="TO_STRING")
    assert text.numpy().tolist() == [[b"x"]]
