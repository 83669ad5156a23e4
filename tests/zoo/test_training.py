"""The trained twins really learned, the same in every run."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import zoo
from zoo.case import predict
from zoo.loading import function, trained
from zoo.twins.learned_exponent.data import EXPONENT

FRAMEWORKS = ("torch", "tf")


def score(name, framework, model):
    entry = zoo.get(name)
    return function(entry.score)(partial(predict, entry, framework, framework, model))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_exponent_is_learned(framework):
    model = zoo.load("learned_exponent", framework)
    p = model.p.item() if framework == "torch" else float(model.weights[0].numpy())
    assert p == pytest.approx(EXPONENT, abs=1e-3)
    metric, value = score("learned_exponent", framework, model)
    assert metric == "rmse"
    assert value < 1e-3


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_digits_are_read(framework):
    metric, value = score("digits_cnn", framework, zoo.load("digits_cnn", framework))
    assert metric == "accuracy"
    assert value >= 0.97


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_untrained_network_does_not_read_them(framework):
    model = function(zoo.get("digits_cnn").side(framework).build)()
    if framework == "torch":
        model.eval()
    assert score("digits_cnn", framework, model)[1] < 0.5


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_training_is_deterministic(framework):
    first = trained("learned_exponent", framework), trained("digits_cnn", framework)
    trained.cache_clear()
    second = trained("learned_exponent", framework), trained("digits_cnn", framework)
    for a, b in zip(first, second, strict=True):
        assert list(a) == list(b)
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_the_accuracy_survives_the_transfer():
    entry = zoo.get("digits_cnn")
    torch_twin, keras_twin = zoo.load("digits_cnn", "torch"), zoo.load("digits_cnn", "tf")
    zoo.transfer(torch_twin, keras_twin, entry)
    before, after = score(entry.name, "torch", torch_twin), score(entry.name, "tf", keras_twin)
    assert before == after
