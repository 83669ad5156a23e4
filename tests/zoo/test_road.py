"""Every model of the zoo, traced and rebuilt in the other framework, gives the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zoo
from converter.formats import Source
from tests.zoo.agreement import apart, fresh_seed, run, sizes_of
from zoo.case import Outcome, steps
from zoo.parameters import arrived, differences, trainable

SMALL = ("learned_exponent", "sigmoid_network", "lstm_text_classifier", "unet", "gru_tagger")
"""Quick ones that between them have convolutions, recurrent layers, masks and odd shapes; the whole
zoo goes through `converter.convert` in ``tests/test_road.py``."""

DIRECTIONS = [
    pytest.param(name, source) for name in SMALL for source, _ in zoo.get(name).directions
]


def rebuilt(model: Any, name: str, source: str) -> Any:
    """Trace a live model and rebuild it in the other framework."""
    signature = zoo.get(name).side(source).signature
    if source == "torch":
        from converter.rebuild.tensorflow import build
        from converter.trace.pytorch import trace

        return build(trace(Source("torch", "module", model), signature))
    from converter.rebuild.pytorch import build
    from converter.trace.tensorflow import trace

    return build(trace(Source("tensorflow", "keras_model", model), signature))


def run_rebuilt(model: Any, source: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Run what `rebuilt` returned."""
    if source == "torch":
        return np.asarray(model(**inputs))
    import torch

    with torch.no_grad():
        return model(*map(torch.from_numpy, inputs.values())).numpy()


@pytest.mark.parametrize(("name", "source"), DIRECTIONS)
def test_the_rebuilt_model_agrees_keeps_its_parameters_and_trains(name, source):
    entry, seed = zoo.get(name), fresh_seed()
    model = zoo.load(name, source)
    result = rebuilt(model, name, source)
    for index, sizes in enumerate(sizes_of(entry)):
        inputs = zoo.sample(entry, source, sizes, seed + index)
        difference = apart(run(model, source, inputs), run_rebuilt(result, source, inputs))
        assert difference <= entry.tolerance, sizes
    target = dict(entry.directions)[source]
    parameters = trainable(model, source)
    assert parameters
    assert differences(parameters, arrived(result, target)) == []
    outcome = Outcome(name, source, target)
    steps(outcome, entry, model, result)
    assert outcome.problems == []


@pytest.mark.parametrize("source", ["torch", "tf"])
def test_a_changed_parameter_is_seen_in_numbers_and_names(source):
    entry, seed = zoo.get("unet"), fresh_seed()
    model = zoo.load("unet", source)
    result = rebuilt(model, "unet", source)
    before = trainable(model, source)
    if source == "torch":
        model.logits.bias.data.add_(0.01)
    else:
        model.get_layer("logits").bias.assign_add(np.full(3, 0.01, np.float32))
    inputs = zoo.sample(entry, source, {"batch": 2}, seed)
    assert apart(run(model, source, inputs), run_rebuilt(result, source, inputs)) > 2e-5
    after = arrived(result, "tf" if source == "torch" else "torch")
    assert differences(before, after) == []
    changed = "logits.bias" if source == "torch" else "logits/bias"
    assert differences(trainable(model, source), after) == [f"{changed} differs"]


def test_missing_and_extra_parameters_are_named():
    one, two = {"a": np.ones(2), "b": np.ones(2)}, {"b": np.ones(2), "c": np.ones(2)}
    assert differences(one, two) == ["a is missing", "c is not in the source"]
    assert differences({"a": np.float32([0.0])}, {"a": np.float32([-0.0])}) == ["a differs"]


def test_a_parameter_that_no_longer_trains_is_seen():
    model = zoo.load("classifier", "torch")
    result = rebuilt(model, "classifier", "torch")
    frozen = result.named_variables()["hidden.bias"]
    result.named_variables = lambda: (
        {"hidden.weight": None}
        | {
            name: variable
            for name, variable in type(result).named_variables(result).items()
            if variable is not frozen
        }
    )
    outcome = Outcome("classifier", "torch", "tf")
    steps(outcome, zoo.get("classifier"), model, result)
    assert outcome.problems == ["hidden.bias does not train any more"]
