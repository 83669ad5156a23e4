"""Random weights: the same in every process, far from the defaults, outputs of order 1."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import zoo
from tests.zoo.agreement import fresh_seed, run
from zoo.loading import trained

SIDES = [(name, framework) for name in zoo.names() for framework in zoo.get(name).frameworks]
PROCESSES = [("unet", "torch"), ("unet", "tf"), ("bert", "torch")]


@pytest.mark.parametrize(("name", "framework"), SIDES)
def test_outputs_depend_on_the_input_and_are_of_order_one(name, framework):
    entry, seed = zoo.get(name), fresh_seed()
    model = zoo.load(name, framework)
    sizes = {dim: max(2, max(tried)) for dim, tried in entry.sizes.items()}
    output = run(model, framework, zoo.sample(entry, framework, sizes, seed))
    assert np.isfinite(output).all()
    assert 0.05 < np.abs(output).max() < 100
    assert np.ptp(output, axis=0).max() > 0.02 * np.abs(output).max()


@pytest.mark.parametrize("name", ["mobilenet", "densenet121"])
def test_batch_norm_is_settled_and_far_from_its_defaults(name):
    torch_twin, keras_twin = zoo.load(name, "torch"), zoo.load(name, "tf")
    found = {"weight": [], "bias": [], "running_mean": [], "running_var": []}
    for key, tensor in torch_twin.state_dict().items():
        if "norm" in key and key.rpartition(".")[2] in found:
            found[key.rpartition(".")[2]].append(tensor.numpy())
    theirs = {"gamma": [], "beta": [], "moving_mean": [], "moving_variance": []}
    for weight in keras_twin.weights:
        if "norm" in weight.path:
            theirs[weight.path.rpartition("/")[2]].append(weight.numpy())
    for group in (found, theirs):
        for default, arrays in zip((1, 0, 0, 1), group.values(), strict=True):
            assert arrays
            assert all(np.abs(array - default).max() > 0.03 for array in arrays)
            assert all(np.ptp(array) > 0.01 for array in arrays)
        assert all((array > 0).all() for array in list(group.values())[3])


@pytest.mark.parametrize(("name", "framework"), PROCESSES)
def test_another_process_draws_the_same_weights(name, framework):
    program = (
        "import hashlib, zoo\n"
        f"model = zoo.load({name!r}, {framework!r})\n"
        "weights = model.state_dict().values() if hasattr(model, 'state_dict') else model.weights\n"
        "data = b''.join(weight.numpy().tobytes() for weight in weights)\n"
        "print(hashlib.sha256(data).hexdigest())\n"
    )
    run_once = [sys.executable, "-c", program]
    digests = {
        subprocess.run(run_once, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(digests) == 1


@pytest.mark.parametrize("framework", ["torch", "tf"])
def test_loading_leaves_the_global_generators_alone(framework):
    import torch

    torch.manual_seed(5)
    np.random.seed(5)
    wanted = torch.rand(3), np.random.rand(3)
    torch.manual_seed(5)
    np.random.seed(5)
    trained.cache_clear()
    zoo.load("digits_cnn", framework)
    zoo.load("densenet121", framework)
    assert torch.equal(torch.rand(3), wanted[0])
    np.testing.assert_array_equal(np.random.rand(3), wanted[1])


@pytest.mark.parametrize("framework", ["torch", "tf"])
def test_each_load_gives_a_model_of_its_own(framework):
    first, second = zoo.load("digits_cnn", framework), zoo.load("digits_cnn", framework)
    get = (lambda m: m.state_dict().values()) if framework == "torch" else (lambda m: m.weights)
    old = [weight.numpy().copy() for weight in get(second)]
    for weight in first.parameters() if framework == "torch" else first.weights:
        if framework == "torch":
            weight.data.zero_()
        else:
            weight.assign(np.zeros(weight.shape))
    for weight, kept in zip(get(second), old, strict=True):
        np.testing.assert_array_equal(weight.numpy(), kept)
