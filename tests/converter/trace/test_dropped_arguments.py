"""No argument of a call is dropped: its translation reads it, or the call is refused by name."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from converter.errors import UnsupportedOpsError
from converter.trace.pytorch.decompositions import table as decompositions
from converter.trace.pytorch.registry import registry
from converter.trace.pytorch.unread import dropped, table, unread_arguments
from tests.converter.trace.road import same, traced

MENDED = {
    ("aten::avg_pool2d", "divisor_override"),
    ("aten::avg_pool3d", "divisor_override"),
    ("aten::native_batch_norm", "training"),
    ("aten::_native_batch_norm_legit", "training"),
    ("aten::_native_batch_norm_legit.no_stats", "training"),
    ("aten::_native_batch_norm_legit_functional", "training"),
    ("aten::cross_entropy_loss", "label_smoothing"),
}
"""Arguments that `torch.onnx` does not read; our decompositions do."""

REFUSED = {
    ("aten::allclose", "equal_nan"),
    ("aten::stft", "return_complex"),
    ("aten::stft", "align_to_window"),
    ("aten::unique_consecutive", "dim"),
}
"""Arguments that no translation reads. A call that gives one is refused."""


def test_over_the_whole_table_what_is_not_read_is_harmless_mended_or_refused() -> None:
    found = list(table(registry()))
    assert {u.argument for u in found} > {"memory_format", "device", "divisor_override"}
    counting = {(u.operator, u.argument) for u in found if not u.why_harmless}
    overridden = {
        (target.name(), argument)
        for target, ours in decompositions().items()
        for argument in (a.name for a in target._schema.arguments)
    }
    assert counting - REFUSED <= overridden, counting - REFUSED - overridden
    assert overridden >= MENDED
    assert counting >= REFUSED


def test_what_a_translation_reads_is_told_by_its_text() -> None:
    def helper(x, scale):
        return x

    def translation(x, size, mode, scale, *, dtype=None):
        mode = "linear"
        return helper(x, scale) if size else mode

    translation.__globals__["helper"] = helper
    schema = torch.library.custom_op(
        "equiport_test::call", lambda x, size, mode, scale, extra: x.clone(), mutates_args=(),
        schema="(Tensor x, int size, str mode, float scale, int extra) -> Tensor",
    )  # fmt: skip
    operator = schema._opoverload
    assert unread_arguments(operator, translation) == ("mode", "scale", "extra")


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (lambda x: torch.unique_consecutive(x, dim=0), "dim=0"),
    ],
)
def test_a_call_with_an_argument_that_is_not_read_is_refused_by_name(function, named) -> None:
    with pytest.raises(UnsupportedOpsError) as caught:
        traced(lambda x: (function(x), torch.geqrf(x)), torch.randn(3, 4))
    text = str(caught.value)
    assert named in text
    assert "geqrf" in text, "all are listed at once"
    assert "road.py:" in text


def test_the_default_is_no_dropped_argument() -> None:
    graph = torch.fx.Graph()
    x = graph.placeholder("x")
    operator = torch.ops.aten.cross_entropy_loss.default
    (meta,) = registry().get_decomps(operator)
    assert not dropped(
        graph.call_function(operator, (x, x, None, 1, -100, 0.0)), meta.onnx_function
    )
    node = graph.call_function(operator, (x, x, None, 1, -100, 0.5))
    assert dropped(node, meta.onnx_function) == ["label_smoothing=0.5"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.avg_pool2d(x, 2, divisor_override=3),
        lambda x: F.avg_pool2d(x, (3, 2), (2, 1), 1, ceil_mode=True, divisor_override=2),
        lambda x: F.avg_pool3d(x, 2, 2, 1, ceil_mode=True, divisor_override=5),
        lambda x: F.batch_norm(x, None, None, training=True),
        lambda x: F.batch_norm(x, torch.zeros(3), torch.ones(3), training=True),
        lambda x: F.batch_norm(
            x, torch.zeros(3), torch.ones(3), torch.arange(3.0), torch.arange(3.0), True
        ),
        lambda x: F.interpolate(x, scale_factor=1.3, mode="bilinear"),
        lambda x: F.interpolate(x, scale_factor=(0.7, 1.6), mode="bicubic"),
        lambda x: F.interpolate(x[0], scale_factor=1.3, mode="linear"),
        lambda x: F.interpolate(x[None], scale_factor=1.3, mode="trilinear"),
        lambda x: F.interpolate(x, scale_factor=0.6, mode="bilinear", antialias=True),
        lambda x: F.pad(x, (-1, 2, 1, -2), mode="replicate"),
        lambda x: F.pad(x[0], (-2, -1), mode="replicate"),
        lambda x: F.pad(x, (1, 2, -1, -1, -1, 0), mode="replicate"),
    ],
)
def test_arguments_that_torch_onnx_drops_are_kept(function) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 9, 8)
    same(function, x if "avg_pool3d" not in str(function.__code__.co_names) else x[None])
