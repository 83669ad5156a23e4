"""Training parity: two that learn alike pass, and each way of learning otherwise is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from converter.errors import UsageError
from verify import verify
from verify.report.result import Report
from verify.training import comparing
from verify.training.plan import BETAS, EPSILON


class Network(torch.nn.Module):
    """Two dense layers with a batch normalisation between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(6, 8)
        self.norm = torch.nn.BatchNorm1d(8, eps=1e-3, momentum=0.1)
        self.last = torch.nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.norm(self.first(x))))


class Detached(Network):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.norm(self.first(x).detach())))


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        return 2 * gradient


class Scaled(Network):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.norm(Doubled.apply(self.first(x)))))


@pytest.fixture
def network(generator: np.random.Generator) -> Network:
    torch.manual_seed(int(generator.integers(1 << 31)))
    model = Network().eval()
    with torch.no_grad():
        model.norm.running_mean.normal_()
        model.norm.running_var.uniform_(0.5, 2)
    return model


def inputs(generator: np.random.Generator) -> dict[str, np.ndarray]:
    return {"x": generator.standard_normal((5, 6)).astype(np.float32)}


def compared(a: Any, b: Any, x: dict[str, np.ndarray], **options: Any) -> Report:
    return verify(a, b, data=x, tolerance="fixed", grad=True, **options)


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_the_same_model_learns_alike(
    loss: str, network: Network, generator: np.random.Generator
) -> None:
    before = copy.deepcopy(network.state_dict())
    report = compared(network, copy.deepcopy(network), inputs(generator), loss=loss)
    assert report.passed, str(report)
    training = report.training
    assert training is not None
    for dtype in ("float32", "float64"):
        kinds = [item.kind for item in training.gradients if item.dtype == dtype]
        assert (kinds.count("parameter"), kinds.count("input")) == (6, 1)
        assert kinds.count("statistic") == 2
        assert [c.optimizer for c in training.curves if c.dtype == dtype] == ["sgd", "adam"]
    assert all(len(curve.a) == 6 and curve.a[-1] < curve.a[0] for curve in training.curves)
    assert all(item.scale > 0 for item in training.gradients)
    assert not training.unmatched
    assert "of adam (float64)" in str(report)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), f"{name} was changed"
    assert not any(part.training for part in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def frozen(model: Network) -> None:
    model.first.weight.requires_grad_(False)


def momentum(model: Network) -> None:
    model.norm.momentum = 0.01


def epsilon(model: Network) -> None:
    model.norm.eps = 1e-2


def detached(model: Network) -> None:
    model.__class__ = Detached


def scaled(model: Network) -> None:
    model.__class__ = Scaled


FAULTS: dict[Callable[[Network], None], tuple[set[str], str]] = {
    detached: ({"first.weight", "x"}, "the way to it is cut"),
    scaled: ({"first.weight", "x"}, "b's are 2 times a's"),
    frozen: (set(), "first.weight is trained by one side alone"),
    momentum: ({"norm.running_mean", "norm.running_var"}, "b moves 0.1 times as far as a"),
    epsilon: ({"first.weight", "norm.weight", "last.weight", "x"}, "elements differ"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_what_learns_otherwise_is_named(
    fault: Callable[[Network], None], network: Network, generator: np.random.Generator
) -> None:
    names, words = FAULTS[fault]
    spoilt = copy.deepcopy(network)
    fault(spoilt)
    report = compared(network, spoilt, inputs(generator), rtol=0, atol=10)
    assert not report.passed
    assert all(run.stage.value == "ok" for run in report.runs)
    training = report.training
    assert training is not None
    for dtype in ("float32", "float64"):
        failed = {i.name for i in training.gradients if i.dtype == dtype and not i.passed}
        assert names <= failed, (dtype, failed)
    if fault is not epsilon:
        # The bias before a normalisation has no gradient but rounding.
        assert {i.name for i in training.gradients if not i.passed} <= names | {"first.bias"}
    assert any(words in line for line in report.failures), report.failures


def test_what_does_not_train_is_not_called_alike(generator: np.random.Generator) -> None:
    script = torch.jit.trace(Network().eval(), torch.ones(2, 6))
    report = compared(script, script, inputs(generator))
    assert report.training is not None
    assert not report.training.passed
    assert "a script is run and not trained" in "\n".join(report.failures)


def test_files_train_in_their_workers(source: Path) -> None:
    report = verify(source, source, grad=True, steps=1, seeds=1, tolerance="fixed")
    assert report.passed, str(report)
    training = report.training
    assert training is not None
    assert {(item.name, item.dtype) for item in training.gradients} == {
        (name, dtype) for name in ("weight", "bias", "x") for dtype in ("float32", "float64")
    }
    assert [len(curve.b) for curve in training.curves] == [2] * 4


def test_arguments_are_checked(network: Network, generator: np.random.Generator) -> None:
    with pytest.raises(UsageError, match="unknown loss 'hinge'"):
        compared(network, network, inputs(generator), loss="hinge")
    with pytest.raises(UsageError, match="steps is -1"):
        compared(network, network, inputs(generator), steps=-1)


def keras_twin(model: Network) -> Any:
    import keras

    layers = [
        keras.layers.Dense(8, name="first"),
        keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.9, name="norm"),
        keras.layers.Activation("tanh"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(3, name="last"),
    ]
    twin = keras.Sequential([keras.Input((6,), name="x"), *layers])
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    layers[0].set_weights([state["first.weight"].T, state["first.bias"]])
    names = ("weight", "bias", "running_mean", "running_var")
    layers[1].set_weights([state[f"norm.{name}"] for name in names])
    layers[4].set_weights([state["last.weight"].T, state["last.bias"]])
    return twin


def test_twins_in_keras_and_pytorch_differ_in_what_they_keep_of_the_variance(
    network: Network, generator: np.random.Generator
) -> None:
    keras_model = keras_twin(network)
    before = keras_model.get_weights()
    report = compared(keras_model, network, inputs(generator), rename={"output": "output"})
    training = report.training
    assert training is not None
    assert training.gradients, training.note
    failed = {item.name: item.reason for item in training.gradients if not item.passed}
    assert [name.split("/")[-1] for name in failed] == ["moving_variance"], failed
    assert "b keeps the unbiased variance of the batch" in next(iter(failed.values()))
    assert "n = 5" in next(iter(failed.values()))
    assert {c.dtype for c in training.curves if c.passed} == {"float32", "float64"}
    assert all(curve.passed for curve in training.curves)
    assert not training.unmatched
    for value, old in zip(keras_model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_adam_is_the_same_in_keras_and_pytorch(generator: np.random.Generator) -> None:
    """Keras adds epsilon before the correction of the second moment, PyTorch after it."""
    import keras
    import tensorflow as tf

    start = generator.standard_normal(6)
    sizes = 10.0 ** -np.arange(4, 10)  # around epsilon, where its place matters
    variable = tf.Variable(start, dtype=tf.float64)
    parameter = torch.nn.Parameter(torch.tensor(start))
    ours = keras.optimizers.Adam(2.0**-10, *BETAS, EPSILON)
    ours.build([variable])
    theirs = torch.optim.Adam([parameter], 2.0**-10, BETAS, EPSILON)
    naive = keras.optimizers.Adam(2.0**-10, *BETAS, EPSILON)
    untreated = tf.Variable(start, dtype=tf.float64)
    naive.build([untreated])
    for step in range(1, 6):
        gradient = generator.standard_normal(6) * sizes
        ours.epsilon = EPSILON * (1 - BETAS[1] ** step) ** 0.5
        ours.apply([tf.constant(gradient)], [variable])
        naive.apply([tf.constant(gradient)], [untreated])
        parameter.grad = torch.tensor(gradient)
        theirs.step()
    right = parameter.detach().numpy()
    np.testing.assert_allclose(variable.numpy(), right, rtol=0, atol=1e-15)
    assert np.max(np.abs(untreated.numpy() - right)) > 1e-5


def test_gradients_are_judged_by_their_own_noise(generator: np.random.Generator) -> None:
    exact = {"w": generator.standard_normal((20, 20))}
    own = {"w": (exact["w"] + 1e-6 * generator.standard_normal((20, 20))).astype(np.float32)}
    near = {"w": (exact["w"] + 3e-6 * generator.standard_normal((20, 20))).astype(np.float32)}
    far = {"w": exact["w"].astype(np.float32)}
    far["w"][3, 4] += 1e-2

    def verdict(b: dict[str, np.ndarray], reference: Any = exact) -> bool:
        (row,) = comparing.gradients("parameter", "float32", own, b, reference, 1.0)
        return row.passed

    assert verdict(near)
    assert not verdict(far)
    doubled = {"w": 2 * exact["w"]}
    (row,) = comparing.gradients("parameter", "float64", exact, doubled, None, 1.0)
    assert "b's are 2 times a's" in row.reason
    transposed = {"w": np.zeros((20, 10))}
    (row,) = comparing.gradients("parameter", "float64", exact, transposed, None, 1.0)
    assert "shape [20, 10] instead of [20, 20]" in row.reason
    # What cancels to zero leaves rounding, measured against the largest gradient of all.
    nothing = {"bias": np.full(4, 1e-8, np.float32)}
    (row,) = comparing.gradients("parameter", "float32", nothing, {"bias": -nothing["bias"]},
                                 None, 1.0)  # fmt: skip
    assert row.passed


def test_conventions_of_running_statistics_are_told_apart(generator: np.random.Generator) -> None:
    before, batch = generator.uniform(0.5, 2, (2, 16))
    share, count = 0.1, 12
    biased = (1 - share) * before + share * batch
    unbiased = (1 - share) * before + share * batch * count / (count - 1)
    slower = before + 0.01 * (batch - before)
    assert "a keeps the unbiased variance" in comparing.statistics_reason(before, unbiased, biased)
    assert "b keeps the unbiased variance" in comparing.statistics_reason(before, biased, unbiased)
    assert "n = 12" in comparing.statistics_reason(before, biased, unbiased)
    assert "another momentum" in comparing.statistics_reason(before, biased, slower)
    assert "b does not move" in comparing.statistics_reason(before, biased, before)
    other = biased + 1e-2 * generator.standard_normal(16)
    assert comparing.statistics_reason(before, biased, other) == ""
