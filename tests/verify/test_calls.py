"""Models that keep something between calls are compared over sequences of calls."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

import converter
from converter.graph.signatures import signature_of
from tests.converter.stateful import Stream
from verify import verify
from verify.report.result import Stage

STATES = ("state past", "state h", "state count")
SHAPE = "frame[1,2,5]"


class Forgets(Stream):
    """Begins anew with each call."""

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        held = {name: buffer.clone() for name, buffer in self.named_buffers()}
        result = super().forward(frame)
        for name, buffer in self.named_buffers():
            buffer.copy_(held[name])
        return result


class UpdatesWrongly(Stream):
    """Keeps the samples before the last ones."""

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.past, frame], -1)
        result = super().forward(frame)
        self.past.copy_(x[..., -3:-1])
        return result


class LeavesOneOut(Stream):
    """Does not update the GRU's state."""

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        held = self.h.clone()
        result = super().forward(frame)
        self.h.copy_(held)
        return result


class Hides(Stream):
    """Forgets as `Forgets` does, and shows nothing of what it keeps."""

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        return copy.deepcopy(self).run(frame)

    def run(self, frame: torch.Tensor) -> torch.Tensor:
        return super().forward(frame)


def pair(kind: type[Stream]) -> tuple[Stream, Stream]:
    torch.manual_seed(0)
    a = Stream().eval()
    b = kind().eval()
    b.load_state_dict(a.state_dict())
    return a, b


def compared(a, b, **options):
    frames = np.random.default_rng().normal(size=(1, 2, 5)).astype(np.float32)
    print(frames.tolist())
    options = {"data": {"frame": frames}, "weights": False, "locate": False} | options
    return verify(a, b, **options)


def test_equal_models_pass_over_three_calls() -> None:
    a, b = pair(Stream)
    before = {name: buffer.clone() for name, buffer in a.named_buffers()}
    report = compared(a, b)
    assert report.passed
    assert [run.title for run in report.runs[:3]] == [f"data, call {n}" for n in (1, 2, 3)]
    assert set(STATES) < set(report.outputs)
    assert any("a changes past, h, count" in finding for finding in report.findings)
    assert all(torch.equal(buffer, before[name]) for name, buffer in a.named_buffers())


@pytest.mark.parametrize("kind", [Forgets, UpdatesWrongly, LeavesOneOut])
def test_planted_faults_are_caught(kind: type[Stream]) -> None:
    """What is kept differs after the first call; what comes out, at the second."""
    a, b = pair(kind)
    first, second, *_ = compared(a, b).runs
    failed = [{name for name, item in run.outputs.items() if not item.passed}
              for run in (first, second)]  # fmt: skip
    states = {name for name in first.outputs if name.startswith("state ")}
    assert failed[0]
    assert failed[0] <= states
    assert failed[1] - states


def test_what_is_hidden_is_compared_by_the_next_call() -> None:
    """b shows that its buffers never change; the finding says of a what it changes."""
    a, b = pair(Hides)
    first, second, *_ = compared(a, b, ignore=STATES).runs
    assert first.stage is Stage.OK
    assert second.stage is Stage.MISMATCH


def test_a_result_is_measured_through_the_calls() -> None:
    """The noise of the second call holds what the first one left in the state."""
    a, _ = pair(Stream)
    result = converter.convert(a, "torch", inputs=[SHAPE], verify=False)
    given = {"signature": result.signature, "graph": result.graph}
    right = compared(a, result.model, **given)
    assert right.passed
    assert right.runs[1].title == "data, call 2"
    assert right.runs[1].outputs["state h"].noise is not None
    assert not any("limits" in finding or "reference" in finding for finding in right.findings)
    with torch.no_grad():
        result.model.past.mul_(1.01)
    assert not compared(a, result.model, **given).passed, "it begins with another state"


def test_onnx_is_given_its_state_from_call_to_call(tmp_path: Path) -> None:
    """And the planted fault: the outputs for two states have each other's names."""
    import onnx

    a, _ = pair(Stream)
    path = tmp_path / "out.onnx"
    result = converter.convert(a, "onnx", inputs=[SHAPE], verify=False, output=path)
    graph = signature_of(result.graph)
    report = compared(a, path, signature=graph, graph=result.graph)
    assert report.passed
    assert report.runs[2].title == "data, call 3"
    assert "state h" in report.outputs
    model = onnx.load(path)
    node = next(node for node in model.graph.node if "count_out" in node.output)
    node.op_type = "Sub"
    onnx.save(model, tmp_path / "wrong.onnx")
    report = compared(a, tmp_path / "wrong.onnx", signature=graph, graph=result.graph)
    assert [name for name, item in report.outputs.items() if not item.passed] == ["state count"]
