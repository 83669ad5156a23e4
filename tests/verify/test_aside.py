"""Witnesses answer from a process of their own: what ends it does not end the comparison."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from converter.errors import UnreadableModelError
from tests.commands import run as command
from verify.aside import Aside
from verify.report.result import Stage
from verify.sides import Failure


@pytest.fixture
def aside() -> Iterator[Aside]:
    one = Aside(timeout=120)
    yield one
    one.close()
    assert one.folder is None


def graph(operator: str = "Tanh") -> ir.Model:
    return ir.from_onnx_text(f"""<ir_version: 10, opset_import: ["" : 20]>
        g (float[n,3] x) => (float[n,3] y) {{ y = {operator}(x) }}""")


X = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)


def test_one_process_answers_for_all_runtimes(aside: Aside) -> None:
    processes = set()
    for runtime in ("onnxruntime", "onnxruntime_unoptimised", "onnx_reference"):
        y = aside.run(runtime, graph(), {"x": X})["y"]
        np.testing.assert_allclose(y, np.tanh(X), rtol=1e-6)
        assert not np.allclose(y, np.tanh(X) * 1.01, rtol=1e-6)
        assert aside.side is not None
        assert aside.side.process is not None
        processes.add(aside.side.process.pid)
    assert len(processes) == 1


def test_a_process_that_has_ended_is_an_answer_and_is_started_again(aside: Aside) -> None:
    before = aside.run("onnxruntime", graph(), {"x": X})["y"]
    assert aside.side is not None
    assert aside.side.process is not None
    aside.side.process.kill()
    with pytest.raises(Failure, match="SIGKILL") as caught:
        aside.run("onnxruntime", graph(), {"x": X})
    assert caught.value.stage is Stage.CRASH
    after = aside.run("onnxruntime", graph(), {"x": X})["y"]
    np.testing.assert_array_equal(before, after)  # the first is mapped, and its file is gone


def test_a_graph_that_is_refused_does_not_end_the_process(aside: Aside) -> None:
    aside.run("onnxruntime", graph(), {"x": X})
    assert aside.side is not None
    process = aside.side.process
    with pytest.raises(UnreadableModelError, match="cannot run the graph.*Tanhh") as caught:
        aside.run("onnxruntime", graph("Tanhh"), {"x": X})
    assert "equiport-aside" not in str(caught.value)
    assert aside.side.process is process
    aside.run("onnxruntime", graph(), {"x": X})


NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = torch.nn.GRU(4, 8, batch_first=True)
        self.head = torch.nn.Linear(8, 3)
        self.half()

    def forward(self, x):
        return self.head(self.gru(x)[0])
"""


def test_a_model_that_crashes_a_witness_is_compared_all_the_same(
    tmp_path: Path, generator: np.random.Generator
) -> None:
    """ONNX Runtime ends with a segmentation fault when it reads a GRU in float16."""
    import torch

    (tmp_path / "gru_net.py").write_text(NET)
    names = {"gru.weight_ih_l0": (24, 4), "gru.weight_hh_l0": (24, 8), "gru.bias_ih_l0": (24,),
             "gru.bias_hh_l0": (24,), "head.weight": (3, 8), "head.bias": (3,)}  # fmt: skip
    draw = {name: generator.normal(size=shape) for name, shape in names.items()}
    state = {name: torch.from_numpy(array).half() for name, array in draw.items()}
    torch.save(state, tmp_path / "a.pt")
    torch.save({**state, "head.bias": state["head.bias"] + 1}, tmp_path / "b.pt")
    inputs = ("--input", "x:float16[batch,5,4]", "--model", "gru_net:Net", "--seeds", "1")
    done = command("verify.cli", "a.pt", "b.pt", *inputs, folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "begins at: gru_net.py:12: " in done.stdout
    assert "witness: ONNX Runtime on a's graph: " in done.stdout
    same = command("verify.cli", "a.pt", "a.pt", "--deep", *inputs, folder=tmp_path)
    assert same.returncode == 0, same.stdout + same.stderr
