"""Names that frameworks own or Python lacks: kept in signatures and records, and usable."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

import converter
from converter.rebuild.pytorch.names import held_names
from verify import verify

WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3)
OWNED = [
    "type",
    "half",
    "training",
    "modules",
    "buffers.w",
    "forward",
    "signature",
    "a..b",
    "lambda",
]
PLAIN = ["train/dense/kernel", "größe", "weird name", "Dense.w"]
INPUTS = [
    "input",
    "id",
    "values",
    "self",
    "device",
    "größe",
    "my input",
    "class",
    "µ",
    "a.b",
    "x:0",
]


def product(*weights: str, name: str = "x") -> onnx.ModelProto:
    """Return ``x @ (w1 + w2 + ...)``."""
    held = [helper.make_tensor(w, TensorProto.FLOAT, [4, 3], WEIGHT) for w in weights]
    total, nodes = weights[0], []
    for index, other in enumerate(weights[1:]):
        nodes.append(helper.make_node("Add", [total, other], [f"sum_{index}"]))
        total = f"sum_{index}"
    nodes.append(helper.make_node("MatMul", [name, total], [f"{name} out"]))
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4])]
    outputs = [helper.make_tensor_value_info(f"{name} out", TensorProto.FLOAT, ["batch", 3])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def fed() -> np.ndarray:
    seed = int(np.random.default_rng().integers(1 << 30))
    print(f"seed {seed}")
    return np.random.default_rng(seed).normal(size=(2, 4)).astype(np.float32)


@pytest.mark.parametrize("name", [*OWNED, *PLAIN])
def test_a_weight_of_any_name_arrives_in_pytorch(name: str, tmp_path: Path) -> None:
    result = converter.convert(
        product(name, "other"), "torch", output=tmp_path / "out", verify=False
    )
    x = fed()
    named = result.model.named_weights()
    assert {name, "other"} <= set(named)
    assert (name in result.model.state_dict()) == (name not in OWNED)
    for module in (result.model, pickle.loads(pickle.dumps(copy.deepcopy(result.model)))):
        assert np.allclose(module(torch.from_numpy(x)).detach(), x @ WEIGHT * 2, atol=1e-4)
    loaded = converter.load(tmp_path / "out")
    assert set(loaded.record.weights) == {name, "other"}
    got = loaded.model.module()(torch.from_numpy(x))
    assert np.allclose(got.detach(), x @ WEIGHT * 2, atol=1e-4)


def test_weights_under_other_names_are_proved(tmp_path: Path) -> None:
    """And the planted fault: one element of one of them."""
    model, path = product("type", "half"), tmp_path / "out"
    result = converter.convert(model, "torch", output=path, verify=False)
    options = {"data": {"x": fed()}, "locate": False}
    report = verify(model, result.model, **options)
    assert report.passed
    assert len(report.weights.weights) == 2
    with torch.no_grad():
        result.model.named_weights()["type"][0, 0] += 1
    assert not verify(model, result.model, **options).weights.passed


def test_a_name_that_is_made_is_nobody_elses() -> None:
    names = held_names(["type", "type_", "a", "a.w", "a_", "Layer.w", "layer.w"])
    assert len(set(names.values())) == len(names)
    assert {name: held for name, held in names.items() if name != held} == {
        "type": "type__", "a": "a__",
    }  # fmt: skip


@pytest.mark.parametrize("to", ["torch", "tf"])
@pytest.mark.parametrize("name", INPUTS)
def test_inputs_are_given_by_their_names(name: str, to: str) -> None:
    result = converter.convert(product("w", name=name), to, verify=False)
    assert [spec.name for spec in result.signature.inputs] == [name]
    assert [spec.name for spec in result.signature.outputs] == [f"{name} out"]
    x = fed()
    given = torch.from_numpy(x) if to == "torch" else x
    for got in (result.model(given), result.model(**{name: given})):
        got = got.detach() if to == "torch" else got
        assert np.allclose(np.asarray(got), x @ WEIGHT, atol=1e-4)


@pytest.mark.parametrize("name", ["größe", "class", "my input"])
def test_files_serve_inputs_under_their_names(name: str, tmp_path: Path) -> None:
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter
    from tensorflow.core.protobuf import saved_model_pb2

    model, x = product("w", name=name), fed()
    converter.convert(model, "tf", output=tmp_path / "saved", verify=False)
    text = (tmp_path / "saved" / "saved_model.pb").read_bytes()
    served = saved_model_pb2.SavedModel.FromString(text).meta_graphs[0].signature_def
    assert list(served["serving_default"].inputs) == [name]
    assert tf.saved_model.load(str(tmp_path / "saved")).signatures
    assert verify(model, tmp_path / "saved", data={name: x}, locate=False).passed
    converter.convert(model, "tflite", output=tmp_path / "a.tflite", verify=False)
    runner = Interpreter(str(tmp_path / "a.tflite")).get_signature_runner("serving_default")
    assert np.allclose(runner(**{name: x})[f"{name} out"], x @ WEIGHT, atol=1e-4)


@pytest.mark.parametrize("to", ["torch", "tf", "onnx"])
def test_outputs_of_one_layer_of_keras_are_told_apart(to: str) -> None:
    """Keras calls the states of a recurrent layer as it calls the layer's outputs."""
    import keras

    inputs = keras.Input((None, 4), name="x")
    layer = keras.layers.LSTM(3, return_sequences=True, return_state=True, name="memory")
    model = keras.Model(inputs, list(layer(inputs)))
    assert model.output_names == ["memory"] * 3  # else nothing is tested here
    result = converter.convert(model, to)
    assert result.report.passed
    names = [spec.name for spec in result.signature.outputs]
    assert names == ["memory", "memory_2", "memory_3"]
