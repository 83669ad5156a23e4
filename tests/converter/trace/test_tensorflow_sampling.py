"""Sampling in TensorFlow stays sampling; generators' states are no weights and stop no trace."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

from converter.formats import from_live
from converter.rebuild.pytorch import build
from converter.trace.tensorflow import trace

COUNT = 20_000
GENERATOR = tf.random.Generator.from_seed(1)
SEEDS = keras.random.SeedGenerator(1)


def traced(function: Callable) -> torch.nn.Module:
    signature = [tf.TensorSpec([None], tf.float32, "x")]
    function = tf.function(function, input_signature=signature, autograph=False)
    return build(trace(from_live(function)))


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: tf.random.normal(tf.shape(x)),
        lambda x: tf.random.normal([COUNT]) + 0 * x,
        lambda x: tf.random.truncated_normal(tf.shape(x)),
        lambda x: tf.random.uniform(tf.shape(x), 2.0, 5.0),
        lambda x: tf.random.uniform(tf.shape(x), -3, 9, tf.int32),
        lambda x: tf.random.stateless_normal(tf.shape(x), [1, 2]),
        lambda x: tf.random.categorical(tf.stack([0 * x, 0 * x + 1, 0 * x - 1], -1)[:4], COUNT),
        lambda x: GENERATOR.normal(tf.shape(x)),
        lambda x: keras.random.normal(tf.shape(x), seed=SEEDS),
        lambda x: keras.random.dropout(x + 1, 0.3, seed=SEEDS),
        lambda x: tf.random.shuffle(x + tf.cast(tf.range(tf.shape(x)[0]), tf.float32)),
    ],
    ids="normal fixed truncated uniform int stateless categorical generator keras dropout shuffle".split(),  # noqa: E501
)
def test_a_sample_has_the_source_s_distribution_and_is_drawn_anew(draw: Callable) -> None:
    model, zeros = traced(draw), torch.zeros(COUNT)
    first, second = model(zeros).numpy(), model(zeros).numpy()
    wanted = tf.function(draw)(tf.zeros(COUNT)).numpy()
    assert not np.array_equal(first, second)
    assert first.shape == wanted.shape
    spread = wanted.std() / np.sqrt(COUNT)
    np.testing.assert_allclose(first.mean(), wanted.mean(), atol=8 * spread)
    np.testing.assert_allclose(first.std(), wanted.std(), rtol=0.1)
    if np.ptp(wanted) < 13 and wanted.dtype != np.float32:
        assert set(np.unique(first)) == set(np.unique(wanted))


def test_layers_with_a_seed_give_inference_without_their_seeds() -> None:
    steps = keras.Input((4, 3))
    layer = keras.layers.LSTM(2, dropout=0.2, recurrent_dropout=0.1)
    hidden = keras.layers.Bidirectional(layer)(keras.layers.GaussianNoise(0.1)(steps))
    model = keras.Model(steps, keras.layers.Dropout(0.3)(hidden))
    graph = trace(from_live(model))
    weights = [
        n for n, v in graph.graph.initializers.items() if "equiport.role" in v.metadata_props
    ]
    assert weights == [weight.path for weight in model.weights]
    assert not any("seed" in name for name in weights)
    data = np.random.default_rng().normal(size=(2, 4, 3)).astype("f4")
    got = build(graph)(torch.from_numpy(data)).detach().numpy()
    np.testing.assert_allclose(got, model(data).numpy(), rtol=1e-4, atol=1e-5)


def test_a_layer_that_samples_at_inference_is_traced() -> None:
    class Sampling(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.seeds = keras.random.SeedGenerator(1)

        def call(self, mean):
            return mean + keras.random.normal(keras.ops.shape(mean), seed=self.seeds)

    mean = keras.Input((3,))
    network = build(trace(from_live(keras.Model(mean, Sampling()(mean)))))
    first, second = (network(torch.zeros(5, 3)) for _ in range(2))
    assert not torch.equal(first, second)


def test_state_that_is_no_seed_is_kept() -> None:
    counter = tf.Variable(0.0, name="seen")

    def count(x):
        counter.assign_add(1.0)
        return x * counter

    network = traced(count)
    assert [state.name for state in network.signature.state] == ["seen"]
    first, second = (network(torch.ones(3)) for _ in range(2))
    assert torch.equal(second, 2 * first)
