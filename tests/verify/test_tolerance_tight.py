"""The measured tolerance where it is hard: right targets pass, planted faults are caught."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from tests.verify.tight import CASES, FAULTS, Tight, deep
from verify.compare import compare
from verify.engine import Engine
from verify.executions import InNumPy
from verify.noise import OutputNoise, Reference

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")


def in_onnxruntime(model: ir.Model, x: np.ndarray) -> np.ndarray:
    from converter.formats import from_live

    return Engine(lambda: from_live(model), ["onnxruntime"], "cpu").run({"x": x})[0]["y"]


def in_pytorch(model: ir.Model, x: np.ndarray, mkldnn: bool = True) -> np.ndarray:
    """Run in PyTorch, with kernels of oneDNN or without, which sum in another order."""
    import torch

    from converter.formats import from_live
    from converter.rebuild.pytorch import build

    module = build(model)
    usual = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(mkldnn)
    try:
        return next(iter(Engine(lambda: from_live(module), [], "cpu").run({"x": x})[0].values()))
    finally:
        torch._C._set_mkldnn_enabled(usual)


def in_numpy(model: ir.Model, x: np.ndarray) -> np.ndarray:
    return InNumPy(model).own({"x": x})["y"]


RUNTIMES = {
    "ONNX Runtime": in_onnxruntime,
    "PyTorch": in_pytorch,
    "PyTorch without oneDNN": lambda model, x: in_pytorch(model, x, mkldnn=False),
    "NumPy": in_numpy,
}


def check(tight: Tight, runtimes: dict, first: str) -> None:
    """Compare a right result of each runtime with that of the first, and each planted fault."""
    source = runtimes[first](tight.model, tight.x)
    noise = Reference(tight.model).noise({"x": tight.x}, {"y": source}, checked=True)["y"]
    assert isinstance(noise, OutputNoise)
    for name, run in runtimes.items():
        item = compare("y", source, run(tight.model, tight.x), None, noise)
        assert item.passed, f"{name}: {item.reason}"
        assert item.error is not None
        assert item.error <= item.limit
    for fault in tight.faults:
        item = compare(
            "y", source, runtimes[first](FAULTS[fault](tight.model), tight.x), None, noise
        )
        assert not item.passed, f"{fault}: off by {item.error} of {item.limit}"
    shifted = source.astype(np.float64)
    shifted.reshape(-1)[-1] += 3e-2 * max(1.0, np.abs(shifted).max())
    if source.dtype == np.float32:
        assert not compare("y", source, shifted.astype(source.dtype), None, noise).passed


@pytest.mark.parametrize("name", CASES)
def test_in_float32(name: str, generator) -> None:
    check(CASES[name](generator), RUNTIMES, "ONNX Runtime")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_hundred_layers_in_half_precision(dtype: str, generator) -> None:
    left_out = ["ONNX Runtime"] if dtype == "bfloat16" else []  # it has no such kernels
    runtimes = {name: run for name, run in RUNTIMES.items() if name not in left_out}
    check(deep(generator, dtype), runtimes, "PyTorch")


def test_the_fixed_limits_pass_what_the_noise_does_not_allow(generator) -> None:
    """The fault that the table was made for is still there to be seen without it."""
    tight = CASES["boxes and scores"](generator)
    source = in_onnxruntime(tight.model, tight.x)
    noise = Reference(tight.model).noise({"x": tight.x}, {"y": source}, checked=True)["y"]
    wrong = source.copy()
    wrong[0, 4:44] += 1e-3
    assert compare("y", source, wrong).passed
    assert not compare("y", source, wrong, None, noise).passed
