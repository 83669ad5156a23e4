"""Where an error begins in a model that keeps something between calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import converter
from verify import verify

SEED = int(np.random.SeedSequence().generate_state(1)[0])


class Running(nn.Module):
    """A running sum that fades; it begins at 0, so ``keep`` shows in the second call only."""

    def __init__(self, keep: float = 0.9, slope: float = 0.5, shift: float = 2.0) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(4))
        self.line = nn.Linear(4, 4)
        self.keep, self.slope, self.shift = keep, slope, shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.line(x))
        kept = self.total * self.keep
        self.total.copy_(kept + torch.sin(h.mean(0) * self.slope))
        return torch.sigmoid(self.total) * h + self.shift


def pair(fault: dict[str, float]) -> tuple[nn.Module, nn.Module]:
    print(f"seed {SEED}")
    torch.manual_seed(SEED)
    right, wrong = Running().eval(), Running(**fault).eval()
    wrong.load_state_dict(right.state_dict())
    return right, wrong


def origins(report: Any) -> list[str]:
    assert report.location is not None
    return [f"{node.op} {node.source_line.rpartition('/')[2]}" for node in report.location.origins]


FAULTS = [
    ({"keep": 0.93}, "Mul", "kept = "),
    ({"slope": 0.53}, "Mul", "self.total.copy_"),
    ({"shift": 2.03}, "Add", "return "),
]


def line_of(text: str) -> int:
    lines = Path(__file__).read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if line.strip().startswith(text))


@pytest.mark.parametrize(
    ("fault", "operator", "text"), FAULTS, ids=[next(iter(f[0])) for f in FAULTS]
)
@pytest.mark.parametrize("target", ["tf", "onnx"])
def test_the_operator_is_named(
    target: str, fault: dict[str, float], operator: str, text: str, tmp_path: Path
) -> None:
    right, wrong = pair(fault)
    out = tmp_path / ("out.onnx" if target == "onnx" else "out")
    converter.convert(wrong, target, inputs=["x[n,4]"], output=out, verify=False)
    report = verify(right, str(out), inputs=["x[n,4]"], weights=False, seeds=1)
    assert not report.passed
    assert origins(report) == [f"{operator} {Path(__file__).name}:{line_of(text)}"]


def test_a_right_model_has_no_origin(tmp_path: Path) -> None:
    right, same = pair({})
    result = converter.convert(same, "tf", inputs=["x[n,4]"], verify=False)
    report = verify(right, result.model, inputs=["x[n,4]"], deep=True, seeds=1)
    assert report.passed
    assert report.depth is not None
    assert report.depth.passed


def test_both_as_files_with_explicit_state(tmp_path: Path) -> None:
    right, wrong = pair({"keep": 0.93})
    for name, model in (("a", right), ("b", wrong)):
        converter.convert(
            model, "onnx", inputs=["x[n,4]"], output=tmp_path / f"{name}.onnx", verify=False
        )
    report = verify(str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"))
    assert not report.passed
    assert [text.split()[0] for text in origins(report)] == ["Mul"]
