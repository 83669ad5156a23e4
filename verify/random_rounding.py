"""Random rounding in PyTorch: what a right implementation could have come to instead.

Monte Carlo arithmetic (D. S. Parker, "Monte Carlo Arithmetic: exploiting randomness in
floating-point arithmetic", UCLA CSD-970002, 1997): a computation is repeated while each inexact
result moves by a unit in the last place at random, and the spread of the results is the rounding
noise, cancellation and amplification included. Here the graph runs in its own precision with
PyTorch's kernels, so the rounding inside the kernels is there as well.

A result that has few significant digits (an integer, a half) is most likely exact, and a cast, a
comparison or an index may hang on it, so it stays. What is summed moves before the sum, because a
kernel is free in the order of its sums; a long sum moves by what its order costs
(`verify.order_of_sums`).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from verify.order_of_sums import LONG_SUMS, NORMALISATIONS, order_of_mean, order_of_sum

POOL = 1 << 20
"""Random steps that are drawn once and read from a random place."""

RATE = 1 / 16
"""How likely a step up is, and a step down: in mean square one and a half times a rounding."""

COPIES = frozenset(
    "_to_copy alias as_strided_copy cat clone constant_pad_nd copy detach embedding empty "
    "empty_like eye fill flip full full_like gather index index_put index_select masked_fill "
    "max_pool1d max_pool2d_with_indices max_pool3d_with_indices mkldnn_max_pool2d new_full "
    "new_zeros ones ones_like pad permute_copy reflection_pad1d reflection_pad2d "
    "reflection_pad3d repeat replication_pad1d replication_pad2d replication_pad3d roll "
    "scalar_tensor scatter slice_scatter sort stack topk tril triu unfold where zeros zeros_like "
    "abs amax amin ceil clamp floor max maximum min minimum neg relu round sign trunc hardtanh "
    "arange range linspace".split()
)
"""Operators that hand elements on, or round by definition; they make no error of their own."""

CONTRACTIONS = frozenset(
    "addbmm addmm addmv baddbmm bmm convolution mkldnn_convolution _convolution mm mv dot "
    "mkldnn_rnn_layer lstm gru _scaled_dot_product_flash_attention_for_cpu "
    "_scaled_dot_product_attention_math native_batch_norm _native_batch_norm_legit_no_training "
    "cudnn_batch_norm native_layer_norm native_group_norm sum mean var std var_mean logsumexp "
    "_softmax _log_softmax cumsum linalg_vector_norm prod avg_pool2d _adaptive_avg_pool2d".split()
)
"""Operators that add many products or terms: their operands move, too."""

ALWAYS_INEXACT = frozenset(["mean", "var", "std", "var_mean", "_softmax", "sigmoid", "tanh", "erf"])
"""Divisions: one kernel multiplies by a rounded reciprocal where another divides exactly. And what
saturates: results that come out as 1 are equal only in this precision, and in this kernel."""

_BITS = {
    torch.float64: torch.int64,
    torch.float32: torch.int32,
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
}
_DIGITS = {torch.float64: 53, torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}


class RandomRounding(TorchDispatchMode):
    """While it is entered, floating-point results move by a unit in the last place, or stay.

    Args:
        seed: the same seed moves the same results the same way.
        reach: units in the last place of one step.
        rate: how likely a step up is, and a step down.
    """

    def __init__(self, seed: int, reach: int = 1, rate: float = RATE) -> None:
        super().__init__()
        self.places, self.reach, self.rate = random.Random(seed), reach, rate
        self.generator = torch.Generator().manual_seed(seed)
        self.pools: dict[torch.dtype, torch.Tensor] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Run one operator and move what it returns."""
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name in NORMALISATIONS:
            args = tree_map(self._moved, args)
        elif name in CONTRACTIONS:
            args = tree_map(self._step, args)
        result = func(*args, **kwargs)
        if name in LONG_SUMS and result.dtype in _BITS:
            result = result + self.reach * order_of_sum(name, args, result, self.generator)
        elif name in NORMALISATIONS:
            result = (result[0] + self.reach * order_of_mean(name, args, result, self.generator),
                      *result[1:])  # fmt: skip
        schema = func._schema
        if name in COPIES or any(item.alias_info is not None for item in schema.returns):
            return result
        if schema.is_mutable:
            return result
        if name == "sigmoid" and result.dtype == torch.float32:
            return self._absolute(self._moved(result))
        move: Callable[[Any], Any] = self._moved if name in ALWAYS_INEXACT else self._step
        return tree_map(move, result)

    def _absolute(self, value: torch.Tensor) -> torch.Tensor:
        """Move results of a kernel that adds one half last, by a unit in the last place of that.

        ONNX Runtime's logistic function is one half plus a rational function of its argument: 1e-5
        comes out wrong in its third digit.
        """
        half = torch.full_like(value, 0.5)
        return (value + (self._moved(half) - half)).clamp(min=0.0)

    def _step(self, value: Any) -> Any:
        """Move what is inexact."""
        return self._moved(value, exact_stays=True)

    def _moved(self, value: Any, exact_stays: bool = False) -> Any:
        if not isinstance(value, torch.Tensor) or value.dtype not in _BITS or not value.numel():
            return value
        bits = _BITS[value.dtype]
        size = value.abs()
        moves = size < torch.finfo(value.dtype).max / 2
        if exact_stays:
            moves &= ~_few_digits(value, size)
        else:
            moves &= size > 0
        steps = self._steps(value.numel(), bits, value.device).view(value.shape)
        return (value.contiguous().view(bits) + steps * moves).view(value.dtype)

    def _steps(self, count: int, bits: torch.dtype, device: torch.device) -> torch.Tensor:
        """Return -1, 0 and 1 in random order."""
        if bits not in self.pools:
            self.pools[bits] = _pool(self.rate, self.reach, bits).to(device)
        pool = self.pools[bits]
        start = self.places.randrange(POOL)
        parts, left = [], count
        while left > 0:
            parts.append(pool[start : start + left])
            left -= len(parts[-1])
            start = self.places.randrange(POOL)
        return parts[0] if len(parts) == 1 else torch.cat(parts)


@lru_cache(maxsize=8)
def _pool(rate: float, reach: int, bits: torch.dtype) -> torch.Tensor:
    """Return random steps; drawn once for all seeds, which only choose where to read."""
    draws = torch.rand(POOL, generator=torch.Generator().manual_seed(0))
    return reach * ((draws < rate).to(bits) - (draws > 1 - rate).to(bits))


def _few_digits(value: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    """Tell which elements are multiples of a large power of two, for their precision."""
    digits = _DIGITS[value.dtype]
    fraction = digits // 4
    scaled = value * 2.0**fraction
    return (scaled == scaled.round()) & (size < 2.0 ** (digits - fraction - 2))
