"""The name map sets every Keras weight once and uses every PyTorch weight once, or says so."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import rules
from zoo.name_map import NameMapError, mapped

SAVED = {"hidden.weight": np.ones((3, 2)), "hidden.bias": np.zeros(3)}
SHAPES = {"hidden/kernel": (2, 3), "hidden/bias": (3,)}
LINEAR = rules.linear("hidden", "hidden")


def test_a_whole_map_gives_every_weight():
    result = mapped(LINEAR, SAVED, SHAPES)
    assert {path: array.shape for path, array in result.items()} == SHAPES


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rules": LINEAR[:1]}, "hidden/bias is not set"),
        ({"rules": (*LINEAR, LINEAR[0])}, "hidden/kernel is set more than once"),
        ({"shapes": {**SHAPES, "extra/bias": (1,)}}, "extra/bias is not set"),
        ({"shapes": {"hidden/kernel": (2, 3)}}, "hidden/bias does not exist"),
        ({"saved": {**SAVED, "extra": np.ones(1)}}, "PyTorch weight extra is not used"),
        ({"saved": {"hidden.weight": np.ones((3, 2))}}, "weight hidden.bias does not exist"),
        (
            {"rules": (LINEAR[0], rules.same("hidden/bias", "hidden.weight"))},
            "PyTorch weight hidden.bias is not used",
        ),
        ({"shapes": {**SHAPES, "hidden/kernel": (3, 2)}}, r"give \(2, 3\) for the Keras weight"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(changed, message):
    given = {"rules": LINEAR, "saved": SAVED, "shapes": SHAPES} | changed
    with pytest.raises(NameMapError, match=message) as caught:
        mapped(given["rules"], given["saved"], given["shapes"])
    assert caught.value.hint


def test_a_refused_transfer_changes_nothing():
    import zoo

    entry = zoo.get("classifier")
    keras_twin = zoo.load("classifier", "tf")
    before = [weight.numpy() for weight in keras_twin.weights]
    with pytest.raises(NameMapError):
        zoo.transfer(zoo.load("sigmoid_network", "torch"), keras_twin, entry)
    for old, weight in zip(before, keras_twin.weights, strict=True):
        np.testing.assert_array_equal(old, weight.numpy())
