"""Packed sequences: one recurrent operator with lengths, at all lengths and sizes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import rnn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import converter
from converter.errors import TraceError

CODE = pack_padded_sequence.__code__


class Packed(nn.Module):
    """A recurrent layer on rows of different lengths."""

    def __init__(
        self, kind: type[nn.RNNBase], *, batch_first: bool = True, in_order: bool = False,
        total: bool = True, on_data: bool = False, padding: float = 0.0, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.rnn = kind(4, 5, batch_first=batch_first, **options)
        self.linear = nn.Linear(4, 4)
        self.batch_first, self.in_order, self.total = batch_first, in_order, total
        self.on_data, self.padding = on_data, padding

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> Any:
        packed = pack_padded_sequence(x, lengths, self.batch_first, not self.in_order)
        if self.on_data:
            data = torch.relu(self.linear(packed.data))
            packed = PackedSequence(
                data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
            )
        packed, state = self.rnn(packed)
        total = x.shape[int(self.batch_first)] if self.total else None
        y, kept = pad_packed_sequence(packed, self.batch_first, self.padding, total)
        return y, kept, *(state if isinstance(state, tuple) else (state,))


MODELS: list[Any] = [
    pytest.param(nn.LSTM, {"bidirectional": True, "in_order": True}, "LSTM", id="lstm"),
    pytest.param(
        nn.GRU, {"num_layers": 2, "batch_first": False, "total": False, "padding": -1.5}, "GRU",
        id="gru-longest",
    ),
    pytest.param(
        nn.RNN, {"bidirectional": True, "on_data": True, "total": False, "in_order": True}, "RNN",
        id="rnn-on-data",
    ),
]  # fmt: skip
"""``in_order`` here is what ``enforce_sorted=False`` allows: rows in any order."""


@pytest.mark.parametrize(("kind", "options", "operator"), MODELS)
def test_a_packed_sequence_becomes_one_operator_with_lengths(
    kind: type[nn.RNNBase], options: dict[str, Any], operator: str
) -> None:
    source = Packed(kind, **options).eval()
    first = source.batch_first
    shape = "x[batch,t,4]" if first else "x[t,batch,4]"
    result = converter.convert(
        source, "torch", inputs=[shape, "lengths:int64[batch]"], verify=False
    )
    nodes = [node for node in result.graph.graph.all_nodes() if node.op_type == operator]
    assert len(nodes) == source.rnn.num_layers
    assert all(node.inputs[4] is not None for node in nodes)
    assert result.signature.input("lengths").bounds == (1, "t")
    seed = time.time_ns() % 2**31
    print("seed", seed)
    generator = torch.Generator().manual_seed(seed)
    for batch, length in ((3, 6), (1, 1), (2, 4), (5, 3)):
        x = torch.randn(*((batch, length) if first else (length, batch)), 4, generator=generator)
        lengths = torch.randint(1, length + 1, (batch,), generator=generator)
        if not options.get("in_order"):
            lengths = lengths.sort(descending=True).values
        with torch.no_grad():
            expected, got = source(x, lengths), result.model(x, lengths)
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        whole = torch.full_like(lengths, length)  # other lengths give other numbers
        if not torch.equal(whole, lengths):
            with torch.no_grad():
                assert not torch.equal(result.model(x, whole)[-1], expected[-1])
    assert pack_padded_sequence.__code__ is CODE


class ReadsSizes(nn.Module):
    """Reads what depends on the lengths."""

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = rnn.pack_padded_sequence(x, lengths, True, False)
        return packed.data.sum(-1) * packed.batch_sizes.sum()


def test_sizes_that_depend_on_lengths_are_refused_by_name() -> None:
    with pytest.raises(TraceError, match="batch_sizes of a packed sequence"):
        converter.convert(
            ReadsSizes(), "torch", inputs=["x[batch,t,4]", "lengths:int64[batch]"], verify=False
        )
    assert pack_padded_sequence.__code__ is CODE


class Scored(nn.Module):
    """Asks distributions, one of which is told to check its arguments."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normal = torch.distributions.Normal(x, x.exp(), validate_args=True)
        kinds = torch.distributions.Categorical(logits=x)
        return normal.log_prob(x * 2) + kinds.entropy()[:, None]


def test_checks_of_distributions_do_not_stop_a_trace() -> None:
    source = Scored()
    result = converter.convert(source, "torch", inputs=["x[batch,3]"], verify=False)
    x = torch.randn(4, 3)
    np.testing.assert_allclose(result.model(x), source(x), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="Expected parameter"):  # the model still checks
        source(torch.full((2, 3), float("nan")))
