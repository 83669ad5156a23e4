"""Every model of the zoo, the whole road in every direction: numbers, names, values, gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import converter
import zoo
import zoo.case
from converter.declared import dtype_of

ROADS = [
    pytest.param(name, source, target, id=f"{name}-{source}-to-{target}")
    for name in zoo.names()
    for source, target in zoo.get(name).directions
]

LEARNING_RATE = 1e-3


@pytest.mark.parametrize(("name", "source", "target"), ROADS)
def test_the_road(name: str, source: str, target: str) -> None:
    entry = zoo.get(name)
    model = zoo.load(name, source)
    result = converter.convert(model, target, inputs=entry.side(source).inputs, engine="native")
    report = result.report
    assert report.passed, str(report)
    worst = zoo.case.worst(report)
    print(f"{name} {source} -> {target}: {worst:.1e} of the output's max")
    assert worst <= entry.tolerance
    for dim in result.signature.dynamic_dims():
        sizes = {run.sizes[dim] for run in report.runs}
        assert len(sizes) >= 3, f"{dim} was run at {sorted(sizes)} only"

    before = trainable(source, model)
    got = restored(target, result.model)
    assert set(got) == set(before)
    for weight, value in before.items():
        np.testing.assert_array_equal(got[weight], value, err_msg=weight)

    sample = inputs_of(entry, source)
    moved = changed_by_a_step(source, model, sample)
    assert moved, "the source's own step changes nothing"
    assert moved <= changed_by_a_step(target, result.model, sample)


def inputs_of(entry: Any, framework: str) -> dict[str, np.ndarray]:
    """Return inputs of the smallest sizes that are not special, by the source's names."""
    sizes = {dim: sorted(choices)[len(choices) // 2] for dim, choices in entry.sizes.items()}
    return zoo.sample(entry, framework, sizes=sizes, seed=0)


def trainable(framework: str, model: Any) -> dict[str, np.ndarray]:
    """Return the values of a source's trainable parameters, by name."""
    if framework == "torch":
        return {
            name: p.detach().numpy().copy()
            for name, p in model.named_parameters()
            if p.requires_grad
        }
    return {variable.path: variable.numpy() for variable in model.trainable_variables}


def restored(framework: str, model: Any) -> dict[str, np.ndarray]:
    """Return a target's trainable parameters with the recorded permutations undone."""
    if framework == "torch":
        named = {name: p.detach().numpy() for name, p in model.named_parameters()}
    else:
        named = {n: v.numpy() for n, v in model.named_variables().items() if v.trainable}
    return {
        name: value.transpose(np.argsort(model.permutations[name]))
        if name in model.permutations
        else value
        for name, value in named.items()
    }


def changed_by_a_step(framework: str, model: Any, sample: dict[str, np.ndarray]) -> set[str]:
    """Do one step of Adam on a random projection of all outputs; return what it changed."""
    step: Callable[..., set[str]] = torch_step if framework == "torch" else tensorflow_step
    return step(model, sample)


def projection(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def torch_step(model: Any, sample: dict[str, np.ndarray]) -> set[str]:
    import torch

    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in named.items()}
    optimizer = torch.optim.Adam(named.values(), LEARNING_RATE)
    tensors = {name: torch.from_numpy(array) for name, array in sample.items()}
    with torch.enable_grad():
        outputs = model(*tensors.values()) if takes_positions(model) else model(**tensors)
        leaves = torch.utils._pytree.tree_leaves(outputs)
        loss = sum(
            (leaf * torch.from_numpy(projection(tuple(leaf.shape)))).sum()
            for leaf in leaves
            if leaf.is_floating_point()
        )
        loss.backward()
    optimizer.step()
    return {name for name, p in named.items() if not torch.equal(p, before[name])}


def takes_positions(model: Any) -> bool:
    """A converted module takes its inputs in order; a source of the zoo by name."""
    return hasattr(model, "permutations")


def tensorflow_step(model: Any, sample: dict[str, np.ndarray]) -> set[str]:
    import tensorflow as tf

    if hasattr(model, "named_variables"):
        named = {n: v for n, v in model.named_variables().items() if v.trainable}
    else:
        named = {variable.path: variable for variable in model.trainable_variables}
    before = {name: variable.numpy() for name, variable in named.items()}
    tensors = [tf.constant(array) for array in sample.values()]
    with tf.GradientTape() as tape:
        if hasattr(model, "named_variables"):
            outputs = model(*tensors)
        else:
            outputs = model(tensors[0] if len(tensors) == 1 else tensors, training=False)
        loss = tf.add_n(
            [
                tf.reduce_sum(leaf * projection(tuple(leaf.shape)))
                for leaf in tf.nest.flatten(outputs)
                if leaf.dtype.is_floating
            ]
        )
    gradients = tape.gradient(loss, [*map(plain, named.values())])
    for variable, gradient in zip(named.values(), gradients, strict=True):
        if gradient is not None:
            step = tf.convert_to_tensor(gradient)
            # Adam's first step: both moments are the gradient's own, bias-corrected.
            variable.assign(variable - LEARNING_RATE * step / (tf.abs(step) + 1e-8))
    return {name for name, v in named.items() if not np.array_equal(v.numpy(), before[name])}


def plain(variable: Any) -> Any:
    """Return the `tf.Variable` inside a Keras one."""
    return getattr(variable, "_value", variable)


def test_dtype_names_are_the_signature_s() -> None:
    import torch

    assert dtype_of(torch.zeros(1, dtype=torch.bfloat16)) == "bfloat16"
    assert dtype_of(np.zeros(1, np.int64)) == "int64"
