"""Give a live model of the zoo: built, with its seeded weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from converter.errors import MissingFrameworkError
from zoo.entry import Side
from zoo.registry import get

PACKAGES = {
    "torch": ("torch", "pip install 'equiport[torch]'"),
    "tensorflow": ("TensorFlow", "pip install 'equiport[tensorflow]'"),
    "keras": ("Keras", "pip install 'equiport[tensorflow]'"),
    "transformers": ("transformers", "pip install transformers"),
    "sklearn": ("scikit-learn", "pip install scikit-learn"),
}


def load(name: str, framework: str = "torch") -> Any:
    """Return the model with its weights: the same arrays in every process.

    Trained models are trained on first use and kept for the life of the process; each call
    returns a model of its own.

    Args:
        name: an entry, see `zoo.names`.
        framework: ``"torch"`` (an `nn.Module` in eval mode) or ``"tf"`` (a `keras.Model`).

    Raises:
        UsageError: no such entry, or it does not exist in that framework.
        MissingFrameworkError: a package that it needs is not installed.
    """
    entry = get(name)
    side = entry.side(framework)
    model = bare(side, framework)
    settle = function(f"zoo.settle.{'pytorch' if framework == 'torch' else 'keras'}:settle")
    settle(model, entry)
    if side.train:
        put_weights(model, framework, trained(name, framework))
    return model


def bare(side: Side, framework: str) -> Any:
    """Build an architecture; PyTorch's global generator is left as it was."""
    build = function(side.build)
    if framework == "tf":
        return build()
    import torch

    with torch.random.fork_rng(devices=[]):
        return build()


@cache
def trained(name: str, framework: str) -> dict[str, np.ndarray]:
    """Train a model once and return its weights by name."""
    entry = get(name)
    side: Side = entry.side(framework)
    assert side.train is not None
    model = bare(side, framework)
    train = function(side.train)
    if framework == "torch":
        with one_thread():
            train(model, entry.seed)
        return {key: tensor.numpy().copy() for key, tensor in model.state_dict().items()}
    train(model, entry.seed)
    return {weight.path: weight.numpy() for weight in model.weights}


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch compute on one core: sums then do not depend on how many there are."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def put_weights(model: Any, framework: str, weights: dict[str, np.ndarray]) -> None:
    """Set the weights of a model by name, in place."""
    if framework == "torch":
        import torch

        model.load_state_dict({key: torch.tensor(array) for key, array in weights.items()})
        return
    for weight in model.weights:
        weight.assign(weights[weight.path])


def function(place: str) -> Callable[..., Any]:
    """Return the function at ``pkg.mod:name``.

    Raises:
        MissingFrameworkError: a package that the module needs is not installed.
    """
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise missing(error) from error


def missing(error: ModuleNotFoundError) -> Exception:
    """Turn a failed import of a known package into an error that says what to install."""
    package = (error.name or "").partition(".")[0]
    if package not in PACKAGES:
        return error
    title, command = PACKAGES[package]
    return MissingFrameworkError(f"{title} is not installed", hint=f"Install it: {command}.")
