"""Dropout of a model in inference: PyTorch's calls do nothing then, and are kept all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from converter.graph.dropout import ALPHA, CHANNELS, CHANNELS_ALPHA, ELEMENTS

aten = torch.ops.aten

_CALLS = {
    ELEMENTS: (aten.dropout.default, "dropout_elements"),
    CHANNELS: (aten.feature_dropout.default, "dropout_channels"),
    ALPHA: (aten.alpha_dropout.default, "dropout_alpha"),
    CHANNELS_ALPHA: (aten.feature_alpha_dropout.default, "dropout_channels_alpha"),
}
"""Kind to PyTorch's operator, and the name of ours that stands for it in a graph."""


def _declared(name: str) -> Any:
    """Declare an operator that gives its input back, and says with its name what it stands for."""

    def kept(x: Tensor, rate: float) -> Tensor:
        return x.clone()

    operator = torch.library.custom_op(f"equiport::{name}", kept, mutates_args=())
    operator.register_fake(lambda x, rate: torch.empty_like(x))
    return getattr(torch.ops.equiport, name).default


_OURS = {kind: _declared(name) for kind, (_, name) in _CALLS.items()}


def _attention() -> Any:
    """Declare attention that drops weights in training; in inference it is attention."""

    def attention(
        query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool,
        scale: float | None, enable_gqa: bool, rate: float,
    ) -> Tensor:  # fmt: skip
        return torch.nn.functional.scaled_dot_product_attention(
            query, key, value, mask, 0.0, is_causal, scale=scale, enable_gqa=enable_gqa
        ).clone()

    operator = torch.library.custom_op("equiport::attention", attention, mutates_args=())
    operator.register_fake(
        lambda query, key, value, *_: query.new_empty((*query.shape[:-1], value.shape[-1]))
    )
    return torch.ops.equiport.attention.default


ATTENTION = _attention()

RATE = "equiport_rate"
"""Key of a node's ``meta``: what it drops in training, where the call in inference has no rate."""


@contextmanager
def marked(program: torch.export.ExportedProgram) -> Iterator[None]:
    """Put our operators in the place of calls that do nothing; a decomposition keeps them.

    PyTorch decomposes its own whatever the table says.
    """
    changed: list[tuple[torch.fx.Node, Any, Any, Any]] = []
    modules = [m for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule)]
    for module in modules:
        for kind, (call, _) in _CALLS.items():
            for node in module.graph.find_nodes(op="call_function", target=call):
                x, rate, train = _arguments(*node.args, **node.kwargs)
                rate = node.meta.get(RATE, rate)
                if train is not False or not rate:
                    continue
                changed.append((node, node.target, node.args, node.kwargs))
                node.target, node.args, node.kwargs = _OURS[kind], (x, float(rate)), {}
        for node in module.graph.find_nodes(op="call_function", target=_SDPA):
            if rate := node.meta.get(RATE):
                changed.append((node, node.target, node.args, node.kwargs))
                given = _of_attention(*node.args, **node.kwargs)
                node.target, node.args, node.kwargs = ATTENTION, (*given, float(rate)), {}
        module.recompile()
    try:
        yield
    finally:
        for node, target, args, kwargs in changed:
            node.target, node.args, node.kwargs = target, args, kwargs
        for module in modules:
            module.recompile()


_SDPA = aten.scaled_dot_product_attention.default


def _of_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    return query, key, value, attn_mask, is_causal, scale, enable_gqa


def _arguments(input: Any, p: Any, train: Any) -> tuple[Any, Any, Any]:
    return input, p, train


def translate(x: Any, rate: float) -> Any:
    """Write it in ONNX: without ``training_mode`` it gives its input back."""
    from onnxscript import opset18

    op: Any = opset18
    result, _ = op.Dropout(x, op.Constant(value_float=rate))
    return result


TRANSLATIONS = dict.fromkeys(_OURS.values(), translate)

KINDS = {str(ours): kind for kind, ours in _OURS.items()}
"""Name of an operator in the trace, to the kind that it stands for."""
