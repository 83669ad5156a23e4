"""Gradients of the operators rebuilt in PyTorch against finite differences in float64."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import onnx_ir as ir
import pytest
import torch
from torch.autograd.gradcheck import GradcheckError

from converter.rebuild.pytorch import build
from converter.rebuild.pytorch.dtypes import from_numpy
from tests.conformance.differentiable import SAMPLES, Draw
from tests.conformance.samples import Sample, model_of


def function_of(sample: Sample) -> tuple[Callable, tuple[torch.Tensor, ...]]:
    """Return the rebuilt operator as a function of the inputs to differentiate by, and these."""
    module = build(ir.serde.deserialize_model(model_of(sample)))
    present = [i for i, x in enumerate(sample.inputs) if x is not None]
    tensors = {i: from_numpy(sample.inputs[i]) for i in present}

    def function(*values: torch.Tensor):
        given = tensors | dict(zip(sample.wrt, values, strict=True))
        results = module(*(given[i] for i in present))
        results = results if isinstance(results, tuple) else (results,)
        return tuple(x for x in results if x.is_floating_point())

    return function, tuple(tensors[i].requires_grad_() for i in sample.wrt)


@pytest.fixture
def seed() -> int:
    return secrets.randbits(32)


@pytest.mark.parametrize("name", SAMPLES)
def test_gradient(name: str, seed: int) -> None:
    print(f"seed {seed}")
    sample = SAMPLES[name](Draw(seed))
    function, inputs = function_of(sample)
    step, atol = (1e-3, 1e-2) if sample.single else (1e-6, 1e-5)
    assert torch.autograd.gradcheck(function, inputs, eps=step, atol=atol, rtol=10 * atol)


def test_a_wrong_gradient_is_caught(seed: int) -> None:
    """The planted fault: the backward pass of `Mul` with one factor detached."""
    print(f"seed {seed}")
    function, inputs = function_of(SAMPLES["Mul"](Draw(seed)))
    with pytest.raises(GradcheckError):
        torch.autograd.gradcheck(lambda a, b: function(a.detach(), b), inputs)
