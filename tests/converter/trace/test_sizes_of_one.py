"""A size of 1 that decides what a model does is shut out, and said; one that does not stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch
from torch import nn

import converter
from converter.formats import torch_demands
from converter.sizes import fits


class Squeezed(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.squeeze()


class SqueezedThere(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.squeeze(1)


class TwoRows(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cartesian_prod(x[:2], x[-2:])


class OneRow(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:1] + x[1:].sum(0)


TORCH: list[Any] = [
    pytest.param(Squeezed, "x[3,n,2]", ("n != 1",), id="squeeze"),
    pytest.param(SqueezedThere, "x[n,n,2]", ("n != 1",), id="squeeze of an axis"),
    pytest.param(TwoRows, "x[n]", ("n != 1",), id="two rows"),
    pytest.param(OneRow, "x[n,2]", (), id="one row"),
]


@pytest.mark.parametrize(("model", "spec", "conditions"), TORCH)
def test_pytorch(model, spec: str, conditions: tuple[str, ...]) -> None:
    result = converter.convert(model(), "tf", inputs=[spec])
    assert result.report is not None
    assert result.report.passed
    assert result.signature.conditions == conditions
    assert fits(result.signature, {"n": 1}) is (not conditions)
    assert all(any(text in note for note in result.notes) for text in conditions)


def test_tensorflow() -> None:
    function = tf.function(tf.squeeze)
    result = converter.convert(function, "torch", inputs=["input:float32[3,n,1,2]"])
    assert result.report is not None
    assert result.report.passed
    assert result.signature.conditions == ("n != 1",)
    assert any("n != 1" in note for note in result.notes)


def shape_of_pairs(x: Any) -> Any:
    return tf.broadcast_dynamic_shape(tf.shape(x), [1])


def loaded(folder: Path) -> Any:
    return torch.export.load(folder / "model.pt2").module()


def test_a_program_takes_one_row_where_it_does_what_the_module_does(tmp_path: Path) -> None:
    inputs = ["x:bool[h,h]"]
    converter.convert(tf.function(shape_of_pairs), "torch", inputs=inputs, output=tmp_path / "out")
    program = loaded(tmp_path / "out")
    for size in (1, 3):
        assert program(torch.zeros(size, size, dtype=torch.bool)).tolist() == [size, size]


def test_a_demand_stays_where_the_program_does_something_else() -> None:
    program = torch.export.export(
        nn.Identity(), (torch.zeros(3),), dynamic_shapes=({0: torch.export.Dim("n")},), strict=False
    )
    program._guards_code = ["L['x'].size()[0] != 1", "L['x'].size()[0] <= 7"]

    class OtherAtOne(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1 if x.shape[0] == 1 else x

    from converter.signature import parse_inputs

    signature = parse_inputs(["x[n]"])
    kept = torch_demands.without_unneeded(program, OtherAtOne(), signature)
    assert len(kept._guards_code) == 2
    freed = torch_demands.without_unneeded(program, nn.Identity(), parse_inputs(["input[n]"]))
    assert freed._guards_code == ["L['x'].size()[0] <= 7"]


def test_the_least_element_of_nothing(tmp_path: Path) -> None:
    function = tf.function(lambda x: tf.reduce_min(x, 0))
    converter.convert(function, "torch", inputs=["x:float32[0<=n]"], output=tmp_path / "out")
    program = loaded(tmp_path / "out")
    assert program(torch.zeros(0)) == np.inf
    assert program(torch.tensor([3.0, -2.0])) == -2
