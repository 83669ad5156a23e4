"""PyTorch's own samples of its operators, each as a module that takes the sample's tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

RANDOM = (
    "bernoulli cauchy exponential geometric log_normal multinomial normal rand randint randn "
    "uniform randint_like rand_like randn_like nn.functional.dropout nn.functional.dropout2d "
    "nn.functional.dropout3d nn.functional.alpha_dropout nn.functional.feature_alpha_dropout "
    "nn.functional.rrelu nn.functional.fractional_max_pool2d nn.functional.fractional_max_pool3d "
    "nn.functional.multi_head_attention_forward pca_lowrank svd_lowrank"
).split()
"""Operators that draw numbers; they are compared in distribution, in a test of their own."""

UNDEFINED = "empty empty_like empty_permuted empty_strided new_empty new_empty_strided".split()
"""Operators whose elements are whatever stood in memory: only their shape and dtype count."""


@dataclass(frozen=True)
class Sample:
    """One call of an operator.

    Attributes:
        operator: its name in `torch.testing`, with its variant.
        index: which of the operator's samples it is.
        call: the operator.
        leaves: all arguments, flat; a tensor is an input of the module.
        spec: how the leaves make arguments.
    """

    operator: str
    index: int
    call: Any
    leaves: tuple[Any, ...]
    spec: Any

    @property
    def tensors(self) -> list[torch.Tensor]:
        return [leaf for leaf in self.leaves if isinstance(leaf, torch.Tensor)]

    def run(self, tensors: Iterator[torch.Tensor]) -> list[Any]:
        """Call the operator with other tensors; return what it gives, flat."""
        leaves = [next(tensors) if isinstance(x, torch.Tensor) else x for x in self.leaves]
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return [leaf for leaf in pytree.tree_leaves(self.call(*args, **kwargs)) if leaf is not None]


class Calls(torch.nn.Module):
    """Several samples one after the other, so that they share the cost of one trace."""

    def __init__(self, samples: list[Sample]):
        super().__init__()
        self.samples = samples

    def forward(self, *tensors: torch.Tensor) -> tuple[Any, ...]:
        rest = iter([tensor.clone() for tensor in tensors])
        return tuple(result for sample in self.samples for result in sample.run(rest))


def samples_of(info: Any, dtype: torch.dtype, limit: int) -> list[Sample]:
    """Return at most ``limit`` samples of an operator, spread over all that PyTorch has."""
    found = list(info.sample_inputs("cpu", dtype, requires_grad=False))
    step = max(1, -(-len(found) // limit))
    name = f"{info.name}.{info.variant_test_name}" if info.variant_test_name else info.name
    made = []
    for index, sample in list(enumerate(found))[::step]:
        leaves, spec = pytree.tree_flatten(((sample.input, *sample.args), sample.kwargs))
        if any(
            isinstance(leaf, torch.Tensor) and (leaf.layout != torch.strided or leaf.is_nested)
            for leaf in leaves
        ):
            continue
        made.append(Sample(name, index, info.op, tuple(leaves), spec))
    return made
