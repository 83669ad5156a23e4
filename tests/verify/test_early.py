"""Workers that start before the target is there: taken where they fit, ended where they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from verify.early import Early, arrange
from verify.worker_side import WorkerSide


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`y = x + 1` as an ONNX file: loading it needs no large framework."""
    one = onnx.numpy_helper.from_array(np.ones(1, np.float32), "one")
    info = [onnx.helper.make_tensor_value_info(n, 1, ["batch"]) for n in "xy"]
    node = onnx.helper.make_node("Add", ["x", "one"], ["y"])
    graph = onnx.helper.make_graph([node], "g", info[:1], info[1:], [one])
    path = tmp_path_factory.mktemp("models") / "model.onnx"
    opsets = [onnx.helper.make_opsetid("", 20)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


@pytest.fixture
def early(model: Path) -> Any:
    workers = Early(arrange(threads=1), model, "onnx")
    yield workers
    workers.close()


def fresh(label: str, path: Path, folder: Path, **more: Any) -> WorkerSide:
    return arrange(**{"threads": 1} | more).side(label, path, "onnx", folder)


def test_both_sides_run_in_the_processes_that_were_started(
    early: Early, model: Path, tmp_path: Path
) -> None:
    pids = {label: side.process.pid for label, side in early.sides.items() if side.process}
    x = np.arange(3, dtype=np.float32)
    for label in "ab":
        side = early.take(fresh(label, model, tmp_path))
        side.begin_load()
        assert side.end_load()["framework"] == "onnx"
        assert side.process is not None
        assert side.process.pid == pids[label]
        side.begin_run({"x": x}, tmp_path / "run")
        np.testing.assert_array_equal(side.end_run()[0]["y"], x + 1)


@pytest.mark.parametrize("more", [{"threads": 2}, {"device": "cuda"}, {"python_b": "/no/python"}])
def test_a_process_that_was_started_otherwise_is_not_taken(
    more: dict[str, Any], early: Early, model: Path, tmp_path: Path
) -> None:
    other = fresh("b", model, tmp_path, **more)
    assert early.take(other) is other


def test_a_process_that_loads_another_model_is_not_taken(
    early: Early, model: Path, tmp_path: Path
) -> None:
    other = fresh("a", tmp_path / "another.onnx", tmp_path)
    assert early.take(other) is other


def test_at_the_end_no_process_is_left(model: Path) -> None:
    workers = Early(arrange(), model, "onnx")
    processes = [side.process for side in workers.sides.values()]
    processes.append(workers.aside.side.process if workers.aside.side else None)
    workers.close()
    assert [process.poll() for process in processes if process] == [-9, -9, -9]


def test_a_graph_that_is_asked_again_is_loaded_once(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = []
    begin = WorkerSide.begin_load
    monkeypatch.setattr(WorkerSide, "begin_load", lambda side: (loads.append(side), begin(side)))
    aside = arrange().aside()
    graph, x = ir.load(model), np.zeros(2, np.float32)
    try:
        for count, again in ((1, True), (1, True), (1, False), (2, False), (3, True)):
            result = aside.run("onnxruntime", graph, {"x": x}, again=again)
            np.testing.assert_array_equal(result["y"], x + 1)
            assert len(loads) == count
    finally:
        aside.close()
