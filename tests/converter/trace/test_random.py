"""Random operators stay random: fresh numbers at every call, of the right distribution.

Each draw is held against PyTorch's own by the two-sample Kolmogorov-Smirnov distance, and a shifted
copy must be told apart.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from converter.rebuild.pytorch import build
from converter.rebuild.tensorflow import build as build_tensorflow
from tests.converter.trace.road import traced

COUNT = 4000
CHANCE = 2.3
"""Times ``sqrt(2 / n)``: a right pair is farther apart once in 20,000 draws."""


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference of two samples' distribution functions."""
    values = np.sort(np.concatenate([a, b]))
    return np.abs(
        np.searchsorted(np.sort(a), values, "right") / len(a)
        - np.searchsorted(np.sort(b), values, "right") / len(b)
    ).max()


X = torch.full((COUNT,), 0.3)
DRAWS = {
    "randn_like": torch.randn_like,
    "rand_like": torch.rand_like,
    "randint_like": lambda x: torch.randint_like(x, 2, 9),
    "randn": lambda x: torch.randn(COUNT) + 0 * x,
    "randint": lambda x: torch.randint(-3, 4, (COUNT,)) + x,
    "normal": lambda x: torch.normal(x, x + 1),
    "bernoulli": torch.bernoulli,
    "bernoulli(p)": lambda x: torch.bernoulli(x, 0.7),
    "dropout": lambda x: F.dropout(x, 0.4),
    "alpha_dropout": lambda x: F.alpha_dropout(x, 0.4, training=True),
    "rrelu": lambda x: F.rrelu(-x, training=True),
    "gumbel_softmax": lambda x: F.gumbel_softmax(x.reshape(-1, 2))[:, 0],
    "normal_": lambda x: x.clone().normal_(1, 2),
    "uniform_": lambda x: x.clone().uniform_(2, 3),
    "bernoulli_": lambda x: x.clone().bernoulli_(0.3),
    "bernoulli_(tensor)": lambda x: x.clone().bernoulli_(x),
    "exponential_": lambda x: x.clone().exponential_(2.0),
    "geometric_": lambda x: x.clone().geometric_(0.3),
    "log_normal_": lambda x: x.clone().log_normal_(0.0, 0.5),
    "cauchy_": lambda x: x.clone().cauchy_(1, 2),
    "random_": lambda x: x.clone().random_(7),
    "empty and fill": lambda x: torch.empty_like(x).uniform_(-1, 1) * x,
    "multinomial": lambda x: (
        torch.multinomial(torch.tensor([0.1, 0.0, 0.5, 0.4]), COUNT, replacement=True) + x
    ),
    "Normal": lambda x: torch.distributions.Normal(x, 2.0, validate_args=False).rsample(),
    "Uniform": lambda x: torch.distributions.Uniform(x, x + 2, validate_args=False).rsample(),
    "Laplace": lambda x: torch.distributions.Laplace(x, x, validate_args=False).rsample(),
    "Bernoulli": lambda x: torch.distributions.Bernoulli(x, validate_args=False).sample(),
    "Categorical": lambda x: torch.distributions.Categorical(
        logits=x.reshape(-1, 4), validate_args=False
    ).sample((4,)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_are_fresh_and_of_the_right_distribution(name: str) -> None:
    function = DRAWS[name]
    graph = traced(function, X)
    wanted = function(X).double().numpy().ravel()
    limit = CHANCE * (2 / len(wanted)) ** 0.5
    torch_module, tensorflow_module = build(graph), build_tensorflow(graph)
    for call in (
        lambda: torch_module(X).double().numpy().ravel(),
        lambda: tensorflow_module(X.numpy()).numpy().astype(np.float64).ravel(),
    ):
        first, second = call(), call()
        assert first.shape == wanted.shape
        assert (first != second).any(), "the draw is frozen"
        assert distance(first, wanted) < limit
        assert distance(first + wanted.std(), wanted) > limit, "the distance sees nothing"


def test_without_replacement_nothing_is_drawn_twice() -> None:
    weights = torch.tensor([[0.7, 0.1, 0.1, 0.1, 0.0], [0.2, 0.2, 0.2, 0.2, 0.2]]).repeat(500, 1)
    graph = traced(lambda p: torch.multinomial(p, 3), weights)
    got = build(graph)(weights)
    assert all(len(set(row.tolist())) == 3 for row in got)
    assert not (got[::2] == 4).any(), "probability 0"
    wanted = torch.multinomial(weights, 3)
    for column in range(3):
        assert distance(got[::2, column].numpy(), wanted[::2, column].numpy()) < CHANCE * 0.064


def test_a_permutation_has_each_number_once() -> None:
    graph = traced(lambda x: torch.randperm(7) + x, torch.zeros(7, dtype=torch.int64))
    module = build(graph)
    draws = [tuple(module(torch.zeros(7, dtype=torch.int64)).tolist()) for _ in range(5)]
    assert all(sorted(draw) == list(range(7)) for draw in draws)
    assert len(set(draws)) > 1


def test_attention_with_dropout_drops() -> None:
    x = torch.randn(1, 2, 50, 8)
    graph = traced(lambda q: F.scaled_dot_product_attention(q, q, q, dropout_p=0.5), x)
    module = build(graph)
    assert (module(x) != module(x)).any()
    mean = torch.stack([module(x) for _ in range(300)]).mean(0)
    torch.testing.assert_close(mean, F.scaled_dot_product_attention(x, x, x), atol=0.4, rtol=0)
