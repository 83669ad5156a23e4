"""Inputs whose elements must stand in an order: found in the source, and made so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import rnn

from converter.formats import Source
from converter.graph.bounds import with_bounds
from converter.graph.orders import FALLING, OFFSETS, RISING, SEGMENTS, orders_of
from converter.graph.signatures import signature_of
from converter.graph.suggestions import suggested_bounds
from converter.signature import Signature, TensorSpec, parse_inputs
from verify.inputs import random_inputs
from verify.scales import SCALES


class Bags(nn.Module):
    """Two ways of bags that begin at offsets."""

    def __init__(self) -> None:
        super().__init__()
        self.sums = nn.EmbeddingBag(9, 4, mode="sum")
        self.most = nn.EmbeddingBag(9, 4, mode="max", include_last_offset=True)

    def forward(self, ids: torch.Tensor, offsets: torch.Tensor) -> Any:
        return self.sums(ids, offsets), self.most(ids, offsets.long())


class LongestFirst(nn.Module):
    """Packs rows as PyTorch does if nothing else is said."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 4, batch_first=True)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> Any:
        packed, state = self.gru(rnn.pack_padded_sequence(x, lengths, batch_first=True))
        return rnn.pad_packed_sequence(packed, True, total_length=x.shape[1])[0], state


class Buckets(nn.Module):
    """Both ways to ask between which borders a value lies."""

    def forward(self, x: torch.Tensor, borders: torch.Tensor) -> Any:
        return torch.bucketize(x, borders), torch.searchsorted(borders, x, right=True)


PYTORCH: list[Any] = [
    pytest.param(Bags, ["ids:int64[n]", "offsets:int32[bags]"], "offsets", OFFSETS, id="bags"),
    pytest.param(
        LongestFirst, ["x[batch,seq,3]", "lengths:int64[batch]"], "lengths", FALLING, id="packed"
    ),
    pytest.param(Buckets, ["x[n]", "borders[k]"], "borders", RISING, id="borders"),
]


@pytest.mark.parametrize(("model", "inputs", "name", "order"), PYTORCH)
def test_pytorch_gets_what_it_accepts(model, inputs: list[str], name: str, order: str) -> None:
    from converter.trace.pytorch.trace import trace

    module = model().eval()
    graph = trace(Source("torch", "module", module), parse_inputs(inputs))
    assert orders_of(graph) == {name: order}
    signature = with_bounds(signature_of(graph), graph)
    assert Signature.from_json(signature.to_json()) == signature
    words = dict(zip(signature.dynamic_dims(), (7, 5), strict=True))
    held = set()
    for seed in range(6):
        for scale in ("", *SCALES):
            values = random_inputs(signature, words, seed, scale)
            module(**{key: torch.as_tensor(value.copy()) for key, value in values.items()})
            held.update(values[name].tolist())
    assert len(held) > 3
    if model is not Buckets:  # other orders are refused by PyTorch itself
        values[name] = values[name] * 0 + np.arange(1, 1 + len(values[name]), dtype=np.int32)
        with pytest.raises(RuntimeError):
            module(**{key: torch.as_tensor(value.copy()) for key, value in values.items()})


def test_segments_of_tensorflow_rise() -> None:
    tf = pytest.importorskip("tensorflow")
    from converter.trace.tensorflow.trace import trace

    class Segments(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 3], name="x"), tf.TensorSpec([None], tf.int64, name="ids"),
                tf.TensorSpec([None], tf.int64, name="other"), tf.TensorSpec([4], name="borders"),
            ]
        )  # fmt: skip
        def __call__(self, x, ids, other, borders):
            sums = tf.math.segment_sum(x, tf.cast(ids, tf.int32))
            free = tf.math.unsorted_segment_sum(x, other, 3)
            return sums, free, tf.searchsorted(borders, x[:, 0])

    graph = trace(Source("tensorflow", "module", Segments()))
    assert orders_of(graph) == {"ids": SEGMENTS, "borders": RISING}
    assert "ids" not in {s.name for s in signature_of(graph).inputs if s.bounds}
    suggestion = suggested_bounds(graph)["ids"]
    assert (suggestion.low, suggestion.high) == (0, 4)


MADE: dict[str, Callable[[np.ndarray], Any]] = {
    RISING: lambda x: (np.diff(x) >= 0).all(),
    SEGMENTS: lambda x: (np.diff(x) >= 0).all(),
    FALLING: lambda x: (np.diff(x) <= 0).all(),
    OFFSETS: lambda x: (np.diff(x) >= 0).all() and (x[..., 0] == 0).all(),
}


@pytest.mark.parametrize("order", MADE)
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_elements_stand_in_their_order(order: str, dtype: str) -> None:
    spec = TensorSpec("x", dtype, (3, "n"), bounds=(2, 90), order=order)
    for scale in ("", *SCALES):
        value = random_inputs(Signature((spec,)), {"n": 8}, 5, scale)["x"]
        assert value.shape == (3, 8)
        assert value.dtype == dtype
        assert MADE[order](value), scale
    free = random_inputs(
        Signature((TensorSpec("x", dtype, (3, "n"), bounds=(2, 90)),)), {"n": 8}, 5
    )
    assert not MADE[order](free["x"])
    for shape in ((), (0,)):
        random_inputs(Signature((TensorSpec("x", dtype, shape, order=order),)), {}, 0)
