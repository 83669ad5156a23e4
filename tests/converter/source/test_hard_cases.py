"""Written PyTorch modules of what a model's file may say: any name, any version, any type."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file, save_file
from torch import nn

import converter
from converter.source.check import loaded
from converter.source.errors import NotWritable

PAYLOAD = 'x"""\nraise SystemExit("the file ran")\n"""\\'


def written(model: Any, specs: list[str] | None, folder: Path) -> Any:
    """Convert with the source; the written module is held against the target on the way."""
    return converter.convert(
        model, "torch", inputs=specs, output=folder, verify=False, source=True
    )  # fmt: skip


def onnx_file(path: Path, nodes: list[Any], inputs: list[Any], opset: int, **weights: Any) -> Path:
    """Write an ONNX file; what the last node makes first is its output."""
    graph = helper.make_graph(
        nodes, "g", inputs, [onnx.ValueInfoProto(name=nodes[-1].output[0])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, str(path))
    return path


def test_names_in_a_file_are_no_code(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    nodes = [
        helper.make_node("MatMul", [PAYLOAD, f"w{PAYLOAD}"], ["y"]),
        helper.make_node("Einsum", ["y", "y"], ["z"], equation="ni,ni->n"),
    ]
    given = helper.make_tensor_value_info(PAYLOAD, TensorProto.FLOAT, ["n", 3])
    weights = {f"w{PAYLOAD}": generator.normal(size=(3, 3)).astype(np.float32)}
    file = onnx_file(tmp_path / "m.onnx", nodes, [given], 17, **weights)
    result = written(str(file), None, tmp_path / "out")
    names = {node.id for node in ast.walk(ast.parse(result.source)) if isinstance(node, ast.Name)}
    assert "SystemExit" not in names
    assert not any(isinstance(node, ast.Raise) for node in ast.walk(ast.parse(result.source)))


def test_a_string_stays_a_string() -> None:
    from converter.source.expressions import string

    for text in ('"', "'", '"""', "\\", "\n", 'a"b\'c\\"\n\x00é😀'):
        assert ast.literal_eval(string(text).text) == text


class Tied(nn.Module):
    """An embedding that is read backwards, as in most language models."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.norm = nn.Embedding(7, 4), nn.LayerNorm(4)
        self.lm_head = nn.Linear(4, 7, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.lm_head(self.norm(self.wte(ids)))


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    result = written(Tied().eval(), ["ids:int64[n]"], tmp_path / "out")
    assert "self.lm_head.weight = self.wte.weight" in result.source
    model = loaded(tmp_path / "out" / "source")
    assert model.lm_head.weight is model.wte.weight
    assert model.state_dict().keys() == Tied().state_dict().keys()


def test_a_missing_weight_is_no_silent_start(tmp_path: Path) -> None:
    written(Tied().eval(), ["ids:int64[n]"], tmp_path / "out")
    file = tmp_path / "out" / "source" / "model.safetensors"
    tensors = load_file(str(file))
    del tensors["norm.bias"]
    save_file(tensors, str(file))
    with pytest.raises(RuntimeError, match=r"norm\.bias"):
        loaded(tmp_path / "out" / "source")


class Mixed(nn.Module):
    """Layers of one type between layers of another one."""

    def __init__(self, inner: torch.dtype) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)
        self.norm = nn.BatchNorm1d(4)
        self.shift = nn.Parameter(torch.randn(4, dtype=inner))
        self.first.to(inner)
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x) + self.shift
        y = torch.where(y > 0, 0.0, -1e3).to(self.inner) + y * torch.where(y < 1, y, 1.0)
        return self.second(self.norm(y.float()))


@pytest.mark.parametrize("inner", [torch.float64, torch.float16])
def test_layers_keep_their_types(inner: torch.dtype, tmp_path: Path) -> None:
    given = {torch.float64: "float64", torch.float16: "float16"}[inner]
    written(Mixed(inner).eval(), [f"x:{given}[n,3]"], tmp_path / "out")
    model = loaded(tmp_path / "out" / "source")
    assert {w.dtype for w in model.first.parameters()} == {inner}
    assert model.shift.dtype == inner
    assert model.norm.weight.dtype == torch.float32


@pytest.mark.parametrize("has", ["scale", "shift", "neither"])
def test_a_normalisation_with_half_of_its_weights(has: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    names = ("scale", "shift", "mean", "variance")
    drawn = {name: generator.uniform(0.5, 2, 3).astype(np.float32) for name in names}
    for name, plain in (("scale", 1), ("shift", 0)):
        if name != has:
            drawn[name] = np.full(3, plain, np.float32)
    constants = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(drawn.pop(name)))
        for name in ("scale", "shift") if name != has
    ]  # fmt: skip
    node = helper.make_node("BatchNormalization", ["x", *names], ["y"])
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 4])
    file = onnx_file(tmp_path / "m.onnx", [*constants, node], [given], 15, **drawn)
    result = written(str(file), None, tmp_path / "out")
    assert ("affine=False" in result.source) == (has == "neither")


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        return self.total * 2


def test_state_is_refused_by_name() -> None:
    with pytest.raises(NotWritable, match="state from call to call .*total"):
        converter.convert(Counting(), "torch", inputs=["x[3]"], verify=False, source=True)


OLD = [
    (11, helper.make_node("Softmax", ["x"], ["y"], axis=1), {}),
    (9, helper.make_node("Slice", ["x"], ["y"], starts=[1], ends=[3], axes=[2]), {}),
    (10, helper.make_node("Clip", ["x"], ["y"], min=-0.5, max=0.5), {}),
    (10, helper.make_node("Pad", ["x"], ["y"], pads=[0, 0, 1, 0, 0, 2], mode="constant"), {}),
    (11, helper.make_node("Split", ["x"], ["y", "z"], axis=2, split=[1, 3]), {}),
    (11, helper.make_node("Squeeze", ["x1"], ["y"], axes=[0]), {}),
    (11, helper.make_node("ReduceSum", ["x"], ["y"], axes=[1], keepdims=0), {}),
    (11, helper.make_node("Unsqueeze", ["x"], ["y"], axes=[0]), {}),
    (18, helper.make_node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=2),
     {"s": np.array([1, 2], np.float32), "b": np.array([0, 3], np.float32)}),
]  # fmt: skip
"""Operators that meant something else, or said it differently, in an older version."""


@pytest.mark.parametrize(("opset", "node", "weights"), OLD, ids=[n.op_type for _, n, _ in OLD])
def test_older_versions_of_operators(
    opset: int, node: Any, weights: dict[str, Any], tmp_path: Path
) -> None:
    name = node.input[0]
    shape = [1, 3, 4] if name == "x1" else [2, 4, 4]
    given = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    file = onnx_file(tmp_path / "m.onnx", [node], [given], opset, **weights)
    written(str(file), None, tmp_path / "out")
    model = loaded(tmp_path / "out" / "source")
    array = np.random.default_rng(7).normal(size=shape).astype(np.float32)
    session = __import__("onnxruntime").InferenceSession(str(file))
    (wanted, *_) = session.run(None, {name: array})
    result = model(torch.from_numpy(array))
    np.testing.assert_allclose(result.detach().numpy(), wanted, rtol=1e-5, atol=1e-6)


class Compared(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x < y) == (y > 0)


class Powers(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return 2.0**x + (x.abs() + 1) ** y


class Step(nn.Module):
    """A step of a loop that gets two things which the loop itself must not change."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.line(x) * scale], 0)[: x.shape[0]] + x.shape[0]


class Looped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleList(Step() for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = torch.tanh(x)
        for step in self.steps:
            x = step(x, scale)
        return x


class Hiding(nn.Module):
    """Names of arguments that mean something in the module."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(4, 4)

    def forward(self, torch: Any, F: Any, max: Any) -> Any:
        return nn.functional.relu(self.line(torch)).clamp(0, 6) + F * max.shape[0]


SMALL = [
    (Compared(), ["x[n,4]", "y[n,4]"]), (Powers(), ["x[n,4]", "y[n,4]"]),
    (Looped(), ["x[n,4]"]), (Hiding(), ["torch[n,4]", "F[4]", "max[m]"]),
]  # fmt: skip


@pytest.mark.parametrize(("model", "specs"), SMALL, ids=[type(m).__name__ for m, _ in SMALL])
def test_python_means_what_the_graph_says(
    model: nn.Module, specs: list[str], tmp_path: Path
) -> None:
    written(model.eval(), specs, tmp_path / "out")
    mine = loaded(tmp_path / "out" / "source")
    words = {"n": 3, "m": 2}
    generator = torch.Generator().manual_seed(11)
    shapes = [[words.get(d) or int(d) for d in s[s.index("[") + 1 : -1].split(",")] for s in specs]
    given = [torch.randn(shape, generator=generator) for shape in shapes]
    torch.testing.assert_close(mine(*given), model(*given))


def test_ruff_is_asked_for_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    from converter import requirements
    from converter.errors import MissingFrameworkError

    held = requirements.installed
    monkeypatch.setattr(requirements, "installed", lambda name: name != "ruff" and held(name))
    with pytest.raises(MissingFrameworkError, match="--source needs ruff"):
        converter.convert("no such file.pt", "torch", source=True)


class Residual(nn.Module):
    """What goes into a loop of layers is read again behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3)))
        self.shortcut = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.layer(x) + self.shortcut(x))


class Stages(nn.Module):
    """Images, two results, one of which is read by the next layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.blocks = nn.ModuleList(Residual2d() for _ in range(2))

    def forward(self, image: torch.Tensor) -> Any:
        x = self.stem(image)
        for block in self.blocks:
            x = block(x)
        return x, x.mean((2, 3))


class Residual2d(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.conv(x))


@pytest.mark.parametrize("to", ["torch", "tf"])
def test_what_a_loop_starts_from_is_still_there_behind_it(to: str) -> None:
    result = converter.convert(Residual().eval(), to, inputs=["x[n,4]"], source=True, verify=False)
    assert "for layer in self.layer:" in result.source


def test_turning_the_axes_stays_outside_of_the_layers() -> None:
    result = converter.convert(
        Stages().eval(), "tf", inputs=["image[n,3,8,8]"], source=True, verify=False
    )
    assert result.source.count("class Residual2d(") == 1
    assert "for layer in self.blocks:" in result.source
    inside = result.source[result.source.index("class Residual2d(") :].partition("class Stages(")[0]
    assert "transpose" not in inside
    assert result.source.count("ops.transpose(") == 2  # the image, and the first result
