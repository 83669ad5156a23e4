"""Numbers of calls on float64 are not rounded to the float32 of ONNX's attributes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tests.converter.trace.road import rebuilt

FUNCTIONS = {
    "celu": lambda x: F.celu(x, 0.7),
    "elu": lambda x: F.elu(x, 0.7),
    "selu": F.selu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.03),
    "rrelu": F.rrelu,
    "hardtanh": lambda x: F.hardtanh(x, -0.3, 0.7),
    "softplus": lambda x: F.softplus(x, 0.7, 3.1),
    "rms_norm": lambda x: F.rms_norm(x, (4,)),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x, scale=0.3),
    "causal_attention": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "log10": lambda x: torch.log10(x.abs()),
    "log2": lambda x: torch.log2(x.abs()),
    "sinc": torch.sinc,
    "addcmul": lambda x: torch.addcmul(x, x, x, value=0.3),
    "addcdiv": lambda x: torch.addcdiv(x, x, x.abs() + 1, value=0.3),
    "addmm": lambda x: torch.addmm(x, x, x, alpha=0.3, beta=0.7),
    "addmv": lambda x: torch.addmv(x[0], x, x[1], alpha=0.3, beta=0.7),
    "addbmm": lambda x: torch.addbmm(x, x[None], x[None], alpha=0.3),
    "baddbmm": lambda x: torch.baddbmm(x[None], x[None], x[None], alpha=0.3),
    "addr": lambda x: torch.addr(x, x[0], x[1], alpha=0.3),
    "norm": lambda x: torch.norm(x, 0.3),
    "arange": lambda x: torch.arange(0.1, 4.7, 0.3, dtype=torch.float64) + x.sum(),
    "window": lambda x: torch.hamming_window(4, dtype=torch.float64) * x,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_number_keeps_its_digits(name: str) -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    wanted = FUNCTIONS[name](x)
    (got,) = rebuilt(FUNCTIONS[name], x)
    torch.testing.assert_close(got, wanted, rtol=1e-13, atol=1e-13)
    rounded = wanted * (1 + 1e-8)  # what float32 would make of a number
    with pytest.raises(AssertionError):
        torch.testing.assert_close(rounded, wanted, rtol=1e-13, atol=1e-13)
