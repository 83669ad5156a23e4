"""Name maps: how each kind of Keras layer is filled from its PyTorch counterpart.

Each function takes the PyTorch module's path and the Keras layer's path and returns the layer's
rules. Arrays are NumPy; nothing is imported until a rule runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from zoo.entry import Rule


def same(keras: str, torch: str) -> Rule:
    """Take one array as it is."""
    return Rule(keras, (torch,), _identity)


def permuted(keras: str, torch: str, axes: tuple[int, ...]) -> Rule:
    """Take one array with its axes permuted."""
    return Rule(keras, (torch,), partial(_permuted, axes))


def linear(torch: str, keras: str) -> tuple[Rule, ...]:
    """``nn.Linear`` -> ``Dense``: ``[out, in]`` -> ``[in, out]``."""
    return (
        permuted(f"{keras}/kernel", f"{torch}.weight", (1, 0)),
        same(f"{keras}/bias", f"{torch}.bias"),
    )


def linear_after_flatten(
    torch: str, keras: str, features: tuple[int, int, int]
) -> tuple[Rule, ...]:
    """``nn.Linear`` -> ``Dense`` behind a flattened image of ``features = (C, H, W)``.

    PyTorch flattens ``[C, H, W]`` and Keras ``[H, W, C]``, so the columns are reordered as well.
    """
    return (
        Rule(f"{keras}/kernel", (f"{torch}.weight",), partial(_flattened, features)),
        same(f"{keras}/bias", f"{torch}.bias"),
    )


def conv2d(torch: str, keras: str, *, bias: bool = True) -> tuple[Rule, ...]:
    """``nn.Conv2d`` -> ``Conv2D``: ``[out, in, H, W]`` -> ``[H, W, in, out]``."""
    return _convolution(torch, keras, (2, 3, 1, 0), bias)


def conv2d_transpose(torch: str, keras: str, *, bias: bool = True) -> tuple[Rule, ...]:
    """``nn.ConvTranspose2d`` -> ``Conv2DTranspose``: ``[in, out, H, W]`` -> ``[H, W, out, in]``."""
    return _convolution(torch, keras, (2, 3, 1, 0), bias)


def depthwise_conv2d(torch: str, keras: str, *, bias: bool = True) -> tuple[Rule, ...]:
    """Grouped ``nn.Conv2d`` -> ``DepthwiseConv2D``: ``[C, 1, H, W]`` -> ``[H, W, C, 1]``."""
    return _convolution(torch, keras, (2, 3, 0, 1), bias)


def _convolution(torch: str, keras: str, axes: tuple[int, ...], bias: bool) -> tuple[Rule, ...]:
    kernel = permuted(f"{keras}/kernel", f"{torch}.weight", axes)
    return (kernel, same(f"{keras}/bias", f"{torch}.bias")) if bias else (kernel,)


def batch_norm(torch: str, keras: str) -> tuple[Rule, ...]:
    """``nn.BatchNorm2d`` -> ``BatchNormalization``."""
    return (
        *layer_norm(torch, keras),
        same(f"{keras}/moving_mean", f"{torch}.running_mean"),
        same(f"{keras}/moving_variance", f"{torch}.running_var"),
    )


def layer_norm(torch: str, keras: str) -> tuple[Rule, ...]:
    """``nn.LayerNorm`` -> ``LayerNormalization``."""
    return same(f"{keras}/gamma", f"{torch}.weight"), same(f"{keras}/beta", f"{torch}.bias")


def embedding(torch: str, keras: str) -> tuple[Rule, ...]:
    """``nn.Embedding`` -> ``Embedding``."""
    return (same(f"{keras}/embeddings", f"{torch}.weight"),)


def lstm(torch: str, keras: str) -> tuple[Rule, ...]:
    """One-layer ``nn.LSTM`` -> ``LSTM``: both order the gates i, f, g, o; Keras has one bias."""
    cell = f"{keras}/lstm_cell"
    biases = f"{torch}.bias_ih_l0", f"{torch}.bias_hh_l0"
    return (
        permuted(f"{cell}/kernel", f"{torch}.weight_ih_l0", (1, 0)),
        permuted(f"{cell}/recurrent_kernel", f"{torch}.weight_hh_l0", (1, 0)),
        Rule(f"{cell}/bias", biases, _sum),
    )


def gru(torch: str, keras: str, *, suffix: str = "l0") -> tuple[Rule, ...]:
    """One direction of ``nn.GRU`` -> ``GRU(reset_after=True)``: gates r, z, n -> z, r, n."""
    cell = f"{keras}/gru_cell"
    biases = f"{torch}.bias_ih_{suffix}", f"{torch}.bias_hh_{suffix}"
    return (
        Rule(f"{cell}/kernel", (f"{torch}.weight_ih_{suffix}",), _gru_kernel),
        Rule(f"{cell}/recurrent_kernel", (f"{torch}.weight_hh_{suffix}",), _gru_kernel),
        Rule(f"{cell}/bias", biases, _gru_bias),
    )


def attention_heads(
    torch: str, keras: str, heads: int, *, output: bool = False
) -> tuple[Rule, ...]:
    """``nn.Linear`` -> ``EinsumDense`` that splits into heads, or (``output``) joins them."""
    bias: Callable[..., Any] = _identity if output else partial(_heads_bias, heads)
    kernel = partial(_heads_output if output else _heads_input, heads)
    return (
        Rule(f"{keras}/kernel", (f"{torch}.weight",), kernel),
        Rule(f"{keras}/bias", (f"{torch}.bias",), bias),
    )


def _identity(array):
    return array


def _permuted(axes, array):
    return array.transpose(axes)


def _sum(first, second):
    return first + second


def _flattened(features, weight):
    channels, height, width = features
    spread = weight.reshape(-1, channels, height, width)
    return spread.transpose(2, 3, 1, 0).reshape(height * width * channels, -1)


def _gru_order(array):
    import numpy as np

    reset, update, new = np.split(array, 3)
    return np.concatenate([update, reset, new])


def _gru_kernel(weight):
    return _gru_order(weight).T


def _gru_bias(input_bias, hidden_bias):
    import numpy as np

    return np.stack([_gru_order(input_bias), _gru_order(hidden_bias)])


def _heads_input(heads, weight):  # [heads * size, in] -> [in, heads, size]
    return weight.T.reshape(weight.shape[1], heads, -1)


def _heads_output(heads, weight):  # [out, heads * size] -> [heads, size, out]
    return weight.T.reshape(heads, -1, weight.shape[0])


def _heads_bias(heads, bias):
    return bias.reshape(heads, -1)
