"""Whether the trainable parameters of a model arrived: names, values, and that they train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def trainable(model: Any, framework: str) -> dict[str, np.ndarray]:
    """Return the trainable parameters of a live source by their names, as the zoo loads it."""
    if framework == "torch":
        named = model.named_parameters()
        return {name: p.detach().numpy().copy() for name, p in named if p.requires_grad}
    return {weight.path: weight.numpy() for weight in model.trainable_weights}


def arrived(model: Any, framework: str) -> dict[str, np.ndarray]:
    """Return a converted model's trainable parameters, permuted back as the source has them."""
    if framework == "torch":
        stored = {n: p.detach().numpy().copy() for n, p in model.named_parameters()}
    else:
        variables = model.named_variables().items()
        stored = {name: v.numpy() for name, v in variables if v.trainable}
    axes = model.permutations
    return {n: a.transpose(np.argsort(axes[n])) if n in axes else a for n, a in stored.items()}


def differences(source: Mapping[str, np.ndarray], target: Mapping[str, np.ndarray]) -> list[str]:
    """Say what is missing, extra, or not bit for bit the same; empty where all arrived."""
    problems = [f"{name} is missing" for name in source if name not in target]
    problems += [f"{name} is not in the source" for name in target if name not in source]
    for name in source.keys() & target.keys():
        a, b = source[name], target[name]
        if a.shape != b.shape or a.dtype != b.dtype or a.tobytes() != b.tobytes():
            problems.append(f"{name} differs")
    return sorted(problems)


def moved_by_a_step(
    model: Any, framework: str, inputs: Mapping[str, np.ndarray], *, converted: bool
) -> set[str]:
    """Return the names of the parameters with a gradient that a step of SGD would change them by.

    The loss is the mean square of the output, in inference mode.

    Args:
        inputs: arrays by input name.
        converted: whether the model is one of Equiport's results.
    """
    gradients = _torch_gradients if framework == "torch" else _tf_gradients
    return gradients(model, inputs, converted)


def _torch_gradients(model: Any, inputs: Mapping[str, np.ndarray], converted: bool) -> set[str]:
    import torch

    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    model.zero_grad()
    output = model(*tensors.values()) if converted else model(**tensors)
    output.square().mean().backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    model.zero_grad()
    return {name for name, grad in grads.items() if grad is not None and bool(grad.any())}


def _tf_gradients(model: Any, inputs: Mapping[str, np.ndarray], converted: bool) -> set[str]:
    import tensorflow as tf

    if converted:
        variables = {n: v for n, v in model.named_variables().items() if v.trainable}
    else:
        variables = {weight.path: weight.value for weight in model.trainable_weights}
    with tf.GradientTape() as tape:
        output = model(**inputs) if converted else model(next(iter(inputs.values())))
        loss = tf.reduce_mean(tf.square(output))
    moved = set()
    for name, grad in zip(variables, tape.gradient(loss, list(variables.values())), strict=True):
        if grad is not None and bool(tf.reduce_any(tf.convert_to_tensor(grad) != 0)):
            moved.add(name)
    return moved
