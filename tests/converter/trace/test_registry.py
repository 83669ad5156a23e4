"""The table of translations is made once in a process, and nobody changes it."""

from __future__ import annotations

import pytest
import torch
from torch.onnx._internal.exporter import _registration

import converter
from converter.trace.pytorch.registry import registry


def test_a_second_conversion_does_not_make_the_table_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry()
    before = {name: list(metas) for name, metas in registry().functions.items()}

    def again(*_: object, **__: object) -> None:
        raise AssertionError("the table is made again")

    monkeypatch.setattr(_registration.ONNXRegistry, "from_torchlib", again)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
    converter.convert(model, "onnx", inputs="input:float32[batch,4]", verify=False)
    with pytest.raises(converter.errors.UnsupportedOpsError, match="geqrf"):
        converter.convert(NotTranslated(), "onnx", inputs="x:float32[4,4]", verify=False)
    assert {name: list(metas) for name, metas in registry().functions.items()} == before


class NotTranslated(torch.nn.Module):
    """An operator that ONNX has no way to write."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.geqrf(x)[0]
