"""A rebuilt module's program is refused at no size of an open dimension."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from converter.formats.torch_export import _exported, demands, export, from_signature
from converter.signature import parse_inputs


class LastChannel(nn.Module):
    """A convolution of one channel that comes last, as in Keras's models of digits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def test_one_channel_that_comes_last_takes_one_row() -> None:
    signature, module = parse_inputs(["x[batch,6,6,1]"]), LastChannel()
    example = from_signature(module, signature)
    assert demands(_exported(module, example, any_size=True))  # else nothing is tested here
    program = export(module, signature)
    assert not demands(program)
    for batch in (1, 2, 5):
        x = torch.randn(batch, 6, 6, 1)
        torch.testing.assert_close(program.module()(x), module(x))


def test_a_module_that_is_refused_altogether_says_the_first_reason() -> None:
    from converter.errors import RebuildError

    class Refused(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("not today")

    with pytest.raises(RebuildError, match="cannot be exported: not today"):
        export(Refused(), parse_inputs(["x[batch,2]"]))


class Converted(nn.Module):
    """A conversion of a type: `torch.export` writes down where its input lay."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.to(torch.float64) * 2


def test_a_program_does_not_ask_where_its_values_lie() -> None:
    check = torch.ops.aten._assert_tensor_metadata.default
    signature, module = parse_inputs(["x[batch,2]"]), Converted()
    bare = _exported(module, from_signature(module, signature), any_size=True)
    assert bare.graph.find_nodes(op="call_function", target=check)  # else nothing is tested here
    program = export(module, signature)
    assert not program.graph.find_nodes(op="call_function", target=check)
    x = torch.randn(3, 2)
    torch.testing.assert_close(program.module()(x), module(x))
