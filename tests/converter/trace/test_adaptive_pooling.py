"""Adaptive pooling of PyTorch, at sizes other than the traced one."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir
import pytest
import torch
import torch.nn.functional as F

import converter
from converter.trace.pytorch import translate
from tests.converter.trace.test_sizes_pytorch import Calls, agree

OPEN = ("x:float32[n,2,h,w]", (1, 2, 1, 1), (2, 2, 7, 5), (1, 2, 6, 4))
ALONG = ("x:float32[2,l]", (2, 1), (2, 2), (2, 3), (2, 5), (2, 9))


@pytest.mark.parametrize(
    ("function", "sizes"),
    [
        (lambda x: F.adaptive_avg_pool1d(x, 3), ALONG),
        (lambda x: F.adaptive_max_pool1d(x, 3), ALONG),
        (lambda x: F.adaptive_avg_pool2d(x, (3, 2)), OPEN),
        (lambda x: F.adaptive_avg_pool2d(x, (None, 2)), OPEN),
        (lambda x: F.adaptive_avg_pool2d(x, 1), OPEN),
        (lambda x: F.adaptive_max_pool2d(x, (3, 2)), OPEN),
        (lambda x: F.adaptive_max_pool2d(x, (3, 2), return_indices=True)[1], OPEN),
        (lambda x: F.adaptive_avg_pool3d(x, 2), ("x:float32[1,2,3,h,w]", (1, 2, 3, 2, 5))),
        (lambda x: F.adaptive_avg_pool1d(x, 3), ("x:float32[n,2,7]", (2, 2, 7))),
        (lambda x: F.adaptive_max_pool1d(x, 3), ("x:float32[n,2,6]", (2, 2, 6))),
        (lambda x: F.adaptive_max_pool2d(x, 3), ("x:float32[n,2,7,6]", (2, 2, 7, 6))),
    ],
)
def test_windows_follow_the_size(
    function: Callable[[torch.Tensor], torch.Tensor], sizes: tuple
) -> None:
    agree(function, *sizes)


def test_what_a_decomposition_asks_of_a_size_is_a_condition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PyTorch's own decomposition of these looks at the size, after the export."""
    own = translate.own_decompositions()
    others = {key: made for key, made in own.items() if "adaptive" not in str(key)}
    monkeypatch.setattr(translate, "own_decompositions", lambda: others)
    monkeypatch.setattr(translate, "decompositions", translate.decompositions.__wrapped__)
    module = Calls(lambda x: F.adaptive_avg_pool1d(x, 3))
    result = converter.convert(module, "onnx", inputs=["x:float32[2,l]"], verify=False)
    assert isinstance(result.model, ir.Model)
    allowed = result.signature
    assert "l % 3 == 0" in allowed.conditions or "l" not in allowed.dynamic_dims()
    assert any("l % 3 == 0" in note for note in result.notes)
