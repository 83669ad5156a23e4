"""What is computed twice is computed once, but no draw is shared and no body reads another's."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch

import converter
from converter.graph.clean import clean
from converter.graph.repeated import DRAWING
from tests.converter.trace.road import operators, traced


def test_a_repeated_expression_is_computed_once_in_bodies_too() -> None:
    model = ir.serde.deserialize_model(
        onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 20]>
        g (bool c, float[3] x) => (float[3] y, float[3] z) {
            a = Exp(x)
            b = Exp(x)
            y = Add(a, b)
            z = If(c) <then_branch = t () => (float[3] u) { d = Exp(x) e = Sin(x) u = Add(d, e) },
                       else_branch = f () => (float[3] v) { h = Exp(x) i = Sin(x) v = Sub(h, i) }>
        }""")
    )
    assert operators(clean(model)).count("Exp") == 1
    assert operators(model).count("Sin") == 2, "the branches do not see each other"
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())


@pytest.mark.parametrize(
    "draw",
    [
        torch.randn_like,
        torch.rand_like,
        lambda x: torch.nn.functional.dropout(x, 0.5),
        lambda x: torch.bernoulli(x.sigmoid()),
        lambda x: torch.multinomial(x.sigmoid(), 2, replacement=True),
    ],
)
def test_two_draws_are_two(draw) -> None:
    found = operators(traced(lambda x: (draw(x), draw(x)), torch.randn(3, 4)))
    assert sum(op in DRAWING for op in found) == 2, found


@pytest.mark.parametrize("modes", [("sum", "sum"), ("mean", "sum"), ("max", "max")])
def test_two_embedding_bags_with_offsets(modes) -> None:
    class Bags(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bags = torch.nn.ModuleList([torch.nn.EmbeddingBag(20, 6, mode=m) for m in modes])

        def forward(self, ids: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
            return torch.stack([bag(ids, offsets) for bag in self.bags])

    model, inputs = Bags(), (torch.randint(0, 20, (7,)), torch.tensor([0, 2, 4]))
    result = converter.convert(model, "tf", inputs=inputs, verify=False)
    got = torch.from_numpy(result.model(*[i.numpy() for i in inputs]).numpy())
    torch.testing.assert_close(got, model(*inputs))
