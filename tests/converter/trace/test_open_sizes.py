"""Open sizes of PyTorch models: what a model demands of them is taken over and said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import converter
from converter.errors import InputSpecError, TraceError
from converter.signature import DimRange
from verify.inputs import random_inputs
from verify.sizes import sweep


class Positions(nn.Module):
    """A table of 12 positions."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.randn(1, 12, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.table[:, : x.shape[1]]


class Branch(nn.Module):
    """Does two things, by the number of rows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[0] > 4:
            return x * 2
        return x + 1


class FromFour(nn.Module):
    """Does two things, by the number of columns."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if x.shape[1] >= 4 else x


class Convolved(nn.Module):
    """Needs nine steps; torch asks for ten, because one step is special to it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class Fours(nn.Module):
    """Takes multiples of four."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.shape[0], x.shape[1] // 4, 4).sum(-1)


class UpAndDown(nn.Module):
    """A U-Net's sizes: two halvings, two doublings, and a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 2, 4, 4)
        self.up = nn.ConvTranspose2d(2, 1, 4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.up(torch.relu(self.down(x)))], 1)


class Longer(nn.Module):
    """A mask that is one longer than the cache, as in a decoder's step."""

    def forward(self, past: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        grown = torch.cat([past, past[:, -1:] * 2], 1)
        return grown * mask


class Padded(nn.Module):
    """Fills a mask up to the cache's length, if it is shorter, and needs that length."""

    def forward(self, past: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        missing = past.shape[1] + 1 - mask.shape[1]
        if missing > 0:
            mask = nn.functional.pad(mask, (0, missing))
        return torch.cat([past, past[:, :1]], 1) * mask


class Halves(nn.Module):
    """Two inputs, one with half the rows of the other."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x.view(-1, 2, 3).sum(1) + y


class Steps(nn.Module):
    """A Python loop over the steps."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[:, step] * step for step in range(x.shape[1])], 1)


class FirstThree(nn.Module):
    """Counts on three rows, where there are as many."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = x[:3]
        return first.sum(0) / first.shape[0]


class AfterFirst(nn.Module):
    """What is behind the first row; of one row nothing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[1:] * x.shape[0]


class Inner(nn.Module):
    """A layer of seven features, inside."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(7, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x)


TAKEN_OVER: list[Any] = [
    # model, inputs, inputs as they come out, ranges, conditions, a part of the note
    (Positions, ["x[batch,t,4]"], "x[batch,t,4]", {"t": (1, 12)}, (), "t up to 12 (tests"),
    (Positions, ["x[batch,3<=t,4]"], "x[batch,t,4]", {"t": (3, 12)}, (), "t up to 12"),
    (Branch, ["x[rows,2]"], "x[rows,2]", {"rows": (1, 4)}, (), "rows up to 4"),
    (FromFour, ["x[batch,n]"], "x[batch,n]", {"n": (4, None)}, (), "n from 4 on"),
    (Convolved, ["x[batch,2,t]"], "x[batch,2,t]", {"t": (9, None)}, (), "(module conv, tests"),
    (Fours, ["x[batch,t]"], "x[batch,t]", {}, ("t % 4 == 0",), "t % 4 == 0 (tests"),
    (
        UpAndDown, ["x[batch,1,h,w]"], "x[batch,1,h,w]", {"h": (4, None), "w": (4, None)},
        ("h % 4 == 0", "w % 4 == 0"), "h % 4 == 0",
    ),
    (Longer, ["past[b,t]", "mask[b,u]"], "past[b,t] mask[b,t+1]", {}, (), "u to be t+1"),
    (Longer, ["past[b,t]", "mask[b,t+1]"], "past[b,t] mask[b,t+1]", {}, (), None),
    # with no past there is nothing to double, and the result has no column instead of one
    (Longer, ["past[b,t-1]", "mask[b,t]"], "past[b,t-1] mask[b,t]", {"t": (2, None)}, (), "t from"),
    (FirstThree, ["x[n,4]"], "x[n,4]", {"n": (3, None)}, (), "n from 3 on"),
    (AfterFirst, ["x[n,4]"], "x[n,4]", {}, (), None),
    (Longer, ["past[b,a+n]", "mask[b,a+n+1]"], "past[b,a+n] mask[b,a+n+1]", {}, (), None),
    (Padded, ["past[b,t]", "mask[b,t_plus_1]"], "past[b,t] mask[b,t+1]", {}, (), "t_plus_1 to be"),
    (Padded, ["past[b,t]", "mask[b,total]"], "past[b,t] mask[b,t+1]", {}, (), "total to be t+1"),
    (Halves, ["x[2*n,3]", "y[n,3]"], "x[2*n,3] y[n,3]", {}, (), None),
]  # fmt: skip


@pytest.mark.parametrize(("model", "inputs", "shapes", "dims", "conditions", "note"), TAKEN_OVER)
def test_what_a_model_demands_of_sizes_is_taken_over_and_said(
    model: type[nn.Module], inputs: list[str], shapes: str, dims: dict[str, Any],
    conditions: tuple[str, ...], note: str | None,
) -> None:  # fmt: skip
    source = model().eval()
    result = converter.convert(source, "torch", inputs=inputs, verify=False)
    signature = result.signature
    assert " ".join(str(spec).replace(":float32", "") for spec in signature.inputs) == shapes
    ranges = {k: v for k, v in signature.dims.items() if v != DimRange()}
    assert ranges == {name: DimRange(*ends) for name, ends in dims.items()}
    assert signature.conditions == conditions
    assert any(note in text for text in result.notes) if note else not result.notes
    seen = set()
    for sizes in sweep(signature):  # at every size that is allowed, the numbers are right
        arrays = random_inputs(signature, sizes, 3)
        tensors = [torch.from_numpy(array) for array in arrays.values()]
        with torch.no_grad():
            expected, got = source(*tensors), result.model(*tensors)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5, err_msg=str(sizes))
        seen.add(tuple(sizes.values()))
    assert len(seen) >= 3


def test_at_a_size_beyond_what_was_taken_over_the_numbers_would_differ() -> None:
    source = Branch()
    result = converter.convert(source, "torch", inputs=["x[rows,2]"], verify=False)
    x = torch.full((5, 2), 3.0)
    assert not torch.equal(result.model(x), source(x))


@pytest.mark.parametrize(
    ("model", "inputs", "size", "module"),
    [(Inner, ["x[batch,t]"], 7, "head"), (Steps, ["x[batch,t]"], 5, None)],
)
def test_a_dimension_that_the_model_fixes_is_named_with_the_place(
    model: type[nn.Module], inputs: list[str], size: int, module: str | None
) -> None:
    with pytest.raises(TraceError, match=f"fixes the dimension 't' at {size}") as caught:
        converter.convert(model(), "torch", inputs=inputs, verify=False)
    assert caught.value.module_path == module
    line = (caught.value.source_line or "").rpartition(":")
    assert line[0].endswith("test_open_sizes.py")
    assert int(line[2]) > 0
    assert f"Write {size} instead of t" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("dim", "shape", "range_"),
    [
        ("t<=12", "t", DimRange(1, 12)), ("2<=t<=9", "t", DimRange(2, 9)), ("t", "t", None),
        (6, 6, None), (torch.export.Dim("t", max=12), "t", DimRange(1, 12)),
        (torch.export.Dim.AUTO, "x_dim_1", DimRange(1, 12)), (None, 5, None),
    ],
)  # fmt: skip
def test_dynamic_takes_what_input_takes(dim: Any, shape: Any, range_: DimRange | None) -> None:
    example = torch.randn(2, 6 if dim == 6 else 5, 4)
    result = converter.convert(
        Positions(), "torch", inputs={"x": example}, dynamic={"x": {0: "batch", 1: dim}},
        verify=False,
    )  # fmt: skip
    assert result.signature.inputs[0].shape == ("batch", shape, 4)
    known = range_ or (DimRange(1, 12) if isinstance(shape, str) else None)
    assert result.signature.dims.get(str(shape)) == known


def test_dynamic_takes_expressions_and_refuses_the_rest() -> None:
    example = {"past": torch.randn(2, 5), "mask": torch.randn(2, 6)}
    dynamic = {"past": {1: "t"}, "mask": {1: "t + 1"}}
    result = converter.convert(Longer(), "torch", inputs=example, dynamic=dynamic, verify=False)
    assert [spec.shape for spec in result.signature.inputs] == [(2, "t"), (2, "t+1")]
    for wrong in ("t+", "f(t)", "t<=", 1.5, True):
        with pytest.raises(InputSpecError):
            converter.convert(Longer(), "torch", inputs=example, dynamic={"past": {1: wrong}})
