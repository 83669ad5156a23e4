"""Stages in another interpreter: what crosses comes through as it was, and so do errors.

Here the other interpreter is this one again; `tests/test_two_interpreters.py` has two real ones.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

import converter
from converter import errors
from converter.errors import (
    ConversionError,
    EquiportError,
    MissingFrameworkError,
    UnreadableModelError,
    UnsupportedOp,
    UnsupportedOpsError,
    UsageError,
)
from converter.progress import Progress
from converter.stages import told

torch = pytest.importorskip("torch")

FAULTS = """
import os, time
import torch

def net():
    return torch.nn.Linear(4, 3)

def aborting():
    os.abort()

def raising():
    raise ValueError("the third layer is missing")

def waiting():
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a program with a parameter, a buffer, a permutable weight and a dynamic dimension."""
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.Flatten(),
        torch.nn.Linear(16, 5),
    )
    path = tmp_path_factory.mktemp("program") / "net.pt2"
    batch = torch.export.Dim("batch")
    traced = torch.export.export(
        net.eval(), (torch.randn(2, 3, 4, 4),), dynamic_shapes=({0: batch},)
    )
    torch.export.save(traced, path)
    return path


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return weights whose factories go wrong, each in its own way."""
    (tmp_path / "stage_faults.py").write_text(FAULTS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    torch.save(torch.nn.Linear(4, 3).state_dict(), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


def digests(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_the_artifact_has_the_same_bytes_wherever_it_was_made(
    program: Path, tmp_path: Path
) -> None:
    here = converter.convert(program, "torch", output=tmp_path / "here", verify=False)
    progress = Progress()
    there = converter.convert(
        program, "torch", output=tmp_path / "there", verify=False,
        python_torch=sys.executable, progress=progress,
    )  # fmt: skip
    assert digests(tmp_path / "here") == digests(tmp_path / "there") != {}
    assert there.signature == here.signature
    assert there.model is None
    assert [stage.name for stage in progress.stages] == [
        "load",
        "trace",
        "rewrite",
        "rebuild",
        "save",
    ]
    assert [stage.detail for stage in there.stages] == [stage.detail for stage in here.stages]
    roles = {
        name: value.metadata_props.get("equiport.role")
        for name, value in there.graph.graph.initializers.items()
    }
    assert roles["0.weight"] == "parameter"
    assert roles["1.running_mean"] == "buffer"
    # Another purpose is another artifact: the comparison above can fail.
    other = {"output": tmp_path / "other", "verify": False, "purpose": "training"}
    converter.convert(program, "torch", python_torch=sys.executable, **other)
    assert digests(tmp_path / "other") != digests(tmp_path / "here")


def test_declared_inputs_cross(weights: Path, tmp_path: Path) -> None:
    options = {"factory": "stage_faults:net", "python_torch": sys.executable, "verify": False}
    result = converter.convert(weights, "onnx", inputs="input:float32[rows<=7,4]", **options)
    assert str(result.signature.inputs[0]) == "input:float32[rows,4]"
    assert result.signature.dims["rows"].maximum == 7
    with pytest.raises(UsageError, match="example tensors do not cross"):
        converter.convert(weights, "onnx", inputs=(torch.randn(2, 4),), **options)


@pytest.mark.parametrize(
    ("factory", "kind", "words"),
    [
        ("aborting", ConversionError, "by SIGABRT while it was to trace"),
        ("raising", UsageError, "the third layer is missing"),
        ("absent", UsageError, "absent"),
    ],
)
def test_what_goes_wrong_there_is_told_here(
    factory: str, kind: type[EquiportError], words: str, weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=words) as caught:
        converter.convert(
            weights, "onnx", inputs="input:float32[rows,4]", factory=f"stage_faults:{factory}",
            python_torch=sys.executable, output=tmp_path / "out.onnx",
        )  # fmt: skip
    assert type(caught.value) is kind
    assert not (tmp_path / "out.onnx").exists()


def test_an_interpreter_that_cannot_be_used(program: Path, tmp_path: Path) -> None:
    out = {"output": tmp_path / "out"}
    with pytest.raises(UsageError, match="no-such-python"):
        converter.convert(program, "torch", python_torch="/no-such-python", **out)
    with pytest.raises(UsageError, match="/bin/false does not answer as Python does"):
        converter.convert(program, "torch", python_torch="/bin/false", **out)
    missing = tmp_path / "python"
    missing.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')  # without site-packages
    missing.chmod(0o755)
    with pytest.raises(MissingFrameworkError, match="needs torch, which is not installed in"):
        converter.convert(program, "torch", python_torch=str(missing), **out)
    with pytest.raises(UsageError, match="needs output="):
        converter.convert(program, "torch", python_torch=sys.executable, verify=False)
    with pytest.raises(UnreadableModelError):
        converter.convert(tmp_path / "absent.pt2", "torch", python_torch=sys.executable, **out)
    assert not (tmp_path / "out").exists()


def test_nothing_is_left_running(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(signal, "alarm", signal.alarm)
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(6)
    try:
        with pytest.raises(KeyboardInterrupt):
            converter.convert(
                weights, "onnx", inputs="input:float32[rows,4]", factory="stage_faults:waiting",
                python_torch=sys.executable,
            )  # fmt: skip
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    deadline = time.monotonic() + 10
    while stage_workers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert stage_workers() == []


def stage_workers() -> list[psutil.Process]:
    children = psutil.Process(os.getpid()).children(recursive=True)
    return [
        child for child in children
        if child.status() != psutil.STATUS_ZOMBIE
        and "converter.stages.worker" in " ".join(child.cmdline())
    ]  # fmt: skip


def test_attributes_cross_with_all_their_bits(tmp_path: Path) -> None:
    import onnx_ir as ir

    from converter.signature import Signature
    from converter.stages.graph import read, write

    x, y = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT)), ir.Value(name="y")
    floats = {"epsilon": 1e-5, "alpha": 0.5, "betas": (0.1, 2.0), "gamma": math.inf}
    node = ir.Node("own", "Odd", [x], [ir.AttrFloat32("epsilon", 1e-5),
                   ir.AttrFloat32("alpha", 0.5), ir.AttrFloat32s("betas", (0.1, 2.0)),
                   ir.AttrFloat32("gamma", math.inf)], outputs=[y], name="node")  # fmt: skip
    graph = ir.Graph([x], [y], nodes=[node], opset_imports={"own": 1}, name="g")
    model = ir.Model(graph, ir_version=10)
    write(model, tmp_path / "graph.onnx", Signature(), "torch")
    assert dict(node.metadata_props) == {}
    (back,) = read(tmp_path / "graph.onnx").graph.all_nodes()
    assert dict(back.metadata_props) == {}
    values = {name: attribute.value for name, attribute in back.attributes.items()}
    assert {**values, "betas": tuple(values["betas"])} == floats
    plain = ir.load(tmp_path / "graph.onnx").graph.all_nodes()  # ONNX by itself keeps 24 bits
    assert next(iter(plain)).attributes["epsilon"].value != 1e-5


def examples() -> list[EquiportError]:
    """Return an error of every class."""
    found: list[EquiportError] = []
    for kind in vars(errors).values():
        if not (isinstance(kind, type) and issubclass(kind, EquiportError)):
            continue
        if kind is UnsupportedOpsError:
            operators = [UnsupportedOp("Odd", 3, "node_1", "encoder.0", "model.py:4")]
            found.append(kind(operators, stage="rebuilding", hint="Do this."))
        else:
            found.append(kind("It went wrong", hint="Do this."))
    found[0].node, found[0].module_path, found[0].source_line = "n", "a.b", "m.py:1"
    return found


@pytest.mark.parametrize("error", examples(), ids=lambda error: type(error).__name__)
def test_typed_errors_cross_whole(error: EquiportError) -> None:
    back = told.from_data(json.loads(json.dumps(told.to_data(error))))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert back.exit_code == error.exit_code
    assert getattr(back, "operators", None) == getattr(error, "operators", None)
