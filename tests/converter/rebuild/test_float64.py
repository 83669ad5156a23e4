"""Operators in float64 are exact to float64, whatever constants the framework keeps in float32."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
import tensorflow as tf
import torch

from converter.rebuild.tensorflow.activation import gelu


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(approximate: str) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    x = np.random.default_rng(seed).standard_normal(200) * 3
    right = torch.nn.functional.gelu(torch.from_numpy(x), approximate=approximate).numpy()
    assert np.max(np.abs(gelu(tf.constant(x), approximate=approximate).numpy() - right)) < 1e-14
    own = tf.nn.gelu(tf.constant(x), approximate == "tanh").numpy()
    assert np.max(np.abs(own - right)) > 1e-11, "TensorFlow's own is exact now: drop ours"
