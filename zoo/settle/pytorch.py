"""Seeded random weights for a PyTorch module."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from zoo.entry import Entry
from zoo.sampling import sample
from zoo.settle import draw

BATCH = 16


def settle(model: nn.Module, entry: Entry) -> None:
    """Draw every parameter, settle BatchNorm on one batch, leave the model in eval mode; in place.

    Gamma, beta, mean and variance are then all far from their defaults, and activations neither
    vanish nor explode.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(drawn(model, name, parameter, entry)))
        norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        if norms:
            settle_statistics(model, norms, entry)
    model.eval()


def drawn(model: nn.Module, name: str, parameter: nn.Parameter, entry: Entry) -> np.ndarray:
    """Draw one parameter by what it is."""
    seed = entry.seed
    shape = tuple(parameter.shape)
    owner, leaf = model.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]
    if isinstance(owner, nn.Embedding):
        return draw.kernel(name, shape, 4, seed)
    if leaf.startswith("original"):  # weight norm keeps a magnitude and a direction
        return parameter.numpy() * draw.scale(name, shape, seed)
    if "bias" in leaf:
        return draw.offset(name, shape, seed)
    if len(shape) < 2:
        return draw.scale(name, shape, seed)
    return draw.kernel(name, shape, parameter[0].numel(), seed, entry.gain)


def settle_statistics(model: nn.Module, norms: list, entry: Entry) -> None:
    """Take each BatchNorm's statistics from one batch, then perturb them."""
    given = sample(entry, "torch", dict.fromkeys(entry.sizes, BATCH), entry.seed)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    with torch.random.fork_rng(devices=[]):  # dropout
        torch.manual_seed(entry.seed)
        model(**{name: torch.from_numpy(array) for name, array in given.items()})
    names = {module: name for name, module in model.named_modules()}
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        name, var = names[norm], norm.running_var.numpy()
        mean = draw.mean(name, norm.running_mean.numpy(), var, entry.seed)
        norm.running_mean.copy_(torch.from_numpy(mean))
        norm.running_var.copy_(torch.from_numpy(draw.variance(name, var, entry.seed)))
