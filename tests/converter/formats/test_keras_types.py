"""The Keras result takes its inputs in the types that its signature says."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from torch import nn

import converter


class Double(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


@pytest.mark.parametrize("dtype", ["float64", "float16", "float32"])
def test_an_input_is_not_rounded_on_its_way_in(tmp_path: Path, dtype: str) -> None:
    """Keras casts floats to float32 before `call` unless it is told not to."""
    x = np.array([1 / 3, 1e-5], dtype)
    result = converter.convert(
        Double(), "keras", inputs=[f"x:{dtype}[n]"], verify=False, output=tmp_path / "m.keras"
    )
    live = converter.convert(Double(), "keras", inputs=[f"x:{dtype}[n]"], verify=False).model
    for model in (live, keras.models.load_model(tmp_path / "m.keras")):
        np.testing.assert_array_equal(np.asarray(model(x)), x * np.array(2, dtype))
    assert result.path is not None
