"""Each twin, with its partner's weights, gives its partner's numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import zoo
from tests.zoo.agreement import apart, fresh_seed, run, sizes_of
from zoo.registry import TWINS
from zoo.sampling import to_tf

NAMES = [entry.name for entry in TWINS]


def test_there_are_ten():
    assert len(NAMES) == 10
    assert all(zoo.get(name).frameworks == ("torch", "tf") for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_keras_twin_agrees_when_it_has_the_pytorch_twins_weights(name):
    entry, seed = zoo.get(name), fresh_seed()
    torch_twin, keras_twin = zoo.load(name, "torch"), zoo.load(name, "tf")
    zoo.transfer(torch_twin, keras_twin, entry)
    for index, sizes in enumerate(sizes_of(entry)):
        ours = run(torch_twin, "torch", zoo.sample(entry, "torch", sizes, seed + index))
        theirs = run(keras_twin, "tf", zoo.sample(entry, "tf", sizes, seed + index))
        assert apart(to_tf(entry, "output", ours), theirs) <= entry.tolerance <= 2e-5, sizes


@pytest.mark.parametrize("name", NAMES)
def test_one_changed_weight_is_seen(name):
    entry, seed = zoo.get(name), fresh_seed()
    torch_twin, keras_twin = zoo.load(name, "torch"), zoo.load(name, "tf")
    zoo.transfer(torch_twin, keras_twin, entry)
    names = [n for n, p in torch_twin.named_parameters() if "embedding" not in n]
    chosen = names[seed % len(names)]
    print(f"changed {chosen}")
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():  # not the same for all elements: a LayerNorm would not see that
        weight = torch_twin.get_parameter(chosen)
        weight.add_(0.1 * torch.randn(weight.shape, generator=noise))
    sizes = {dim: max(tried) for dim, tried in entry.sizes.items()}
    ours = run(torch_twin, "torch", zoo.sample(entry, "torch", sizes, seed))
    theirs = run(keras_twin, "tf", zoo.sample(entry, "tf", sizes, seed))
    faithless = "attention.key.bias"  # a softmax does not see what is added to all its inputs
    assert apart(to_tf(entry, "output", ours), theirs) > 2e-5 or chosen.endswith(faithless)


def test_the_two_layouts_hold_the_same_numbers():
    entry = zoo.get("unet")
    ours = zoo.sample(entry, "torch", {"batch": 2}, 3)["x"]
    theirs = zoo.sample(entry, "tf", {"batch": 2}, 3)["x"]
    assert ours.shape == (2, 3, 32, 32)
    np.testing.assert_array_equal(ours[1, 2, :, 5], theirs[1, :, 5, 2])


def test_padded_tokens_end_in_zeros_and_lie_within_their_bounds():
    entry, seed = zoo.get("lstm_text_classifier"), fresh_seed()
    tokens = zoo.sample(entry, "torch", {"batch": 50, "length": 9}, seed)["tokens"]
    lengths = (tokens != 0).sum(1)
    assert lengths.min() >= 1
    assert tokens.min() == 0
    assert tokens.max() <= 199
    assert all((row[:length] != 0).all() for row, length in zip(tokens, lengths, strict=True))
