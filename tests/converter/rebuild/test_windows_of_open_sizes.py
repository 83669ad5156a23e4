"""Padding that depends on sizes holds for all sizes: in `model.pt2`, and in TensorFlow."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper

from converter.formats.torch_export import export
from converter.graph.signatures import signature_of
from converter.rebuild.pytorch import build as build_torch
from converter.rebuild.tensorflow import build as build_tensorflow

KERNEL = (3, 2)
SIZES = ((4, 5), (7, 6), (3, 9), (12, 3))  # a stride of 3 makes 1 of 3
UPPER, LOWER = {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}
CEILING = {"strides": [2, 3], "pads": [1, 0, 1, 1], "ceil_mode": 1}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("Conv", UPPER | {"strides": [2, 2]}),
    ("Conv", LOWER | {"strides": [1, 3]}),
    ("Conv", UPPER | {"strides": [2, 1], "dilations": [2, 3]}),
    ("ConvTranspose", LOWER | {"strides": [2, 2]}),
    ("ConvTranspose", UPPER | {"strides": [3, 2], "output_padding": [2, 1]}),
    ("AveragePool", UPPER | {"strides": [3, 2], "count_include_pad": 0}),
    ("AveragePool", LOWER | {"strides": [2, 2], "count_include_pad": 1}),
    ("MaxPool", UPPER | {"strides": [2, 3]}),
    ("LpPool", LOWER | {"strides": [2, 2]}),
    ("AveragePool", CEILING),
    ("AveragePool", CEILING | {"count_include_pad": 1}),
    ("MaxPool", CEILING),
]


def model_of(op: str, attributes: dict[str, Any], rng: np.random.Generator) -> onnx.ModelProto:
    weights = {"Conv": (4, 2, *KERNEL), "ConvTranspose": (2, 4, *KERNEL)}
    constants = []
    if op in weights:
        constants = [numpy_helper.from_array(rng.standard_normal(weights[op], np.float32), "w")]
    node = helper.make_node(
        op, ["x", *(c.name for c in constants)], ["y"], kernel_shape=KERNEL, **attributes
    )
    x = helper.make_tensor_value_info("x", 1, ["batch", 2, "height", "width"])
    y = helper.make_tensor_value_info("y", 1, None)
    graph = helper.make_graph([node], "windows", [x], [y], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


def with_explicit_pads(model: onnx.ModelProto, sizes: tuple[int, int]) -> onnx.ModelProto:
    """Return the model with the pads that ``auto_pad`` means for one size."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    (node,) = copy.graph.node
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if "auto_pad" not in given:
        return copy
    strides, dilations = given["strides"], given.get("dilations", [1, 1])
    extra, begins, ends = given.get("output_padding", [0, 0]), [], []
    for size, k, stride, dilation, more in zip(
        sizes, KERNEL, strides, dilations, extra, strict=True
    ):
        reach = (k - 1) * dilation + 1
        if node.op_type == "ConvTranspose":
            total = stride * (size - 1) + more + reach - size * stride
        else:
            total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        halves = (total // 2, total - total // 2)
        begins.append(halves[given["auto_pad"] == b"SAME_LOWER"])
        ends.append(halves[given["auto_pad"] != b"SAME_LOWER"])
    for attribute in list(node.attribute):
        if attribute.name == "auto_pad":
            node.attribute.remove(attribute)
    node.attribute.append(helper.make_attribute("pads", [*begins, *ends]))
    return copy


@pytest.mark.parametrize(("op", "attributes"), CASES)
def test_padding_holds_for_all_sizes(op: str, attributes: dict[str, Any]) -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    model = model_of(op, attributes, rng)
    graph = ir.serde.deserialize_model(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = export(build_torch(graph), signature_of(graph)).module()
    in_tensorflow = build_tensorflow(graph)
    for batch, sizes in enumerate(SIZES, 1):
        x = rng.standard_normal((batch, 2, *sizes), np.float32)
        reference = with_explicit_pads(model, sizes).SerializeToString()
        (wanted,) = onnxruntime.InferenceSession(reference).run(None, {"x": x})
        found = {"model.pt2": exported(torch.from_numpy(x)), "TensorFlow": in_tensorflow(x)}
        for where, y in found.items():
            y = np.asarray(y)
            assert y.shape == wanted.shape, f"{where}: {y.shape} of {sizes}"
            np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5, err_msg=where)
            with pytest.raises(AssertionError):  # the pads of the other side
                np.testing.assert_allclose(np.flip(y), wanted, rtol=1e-4, atol=1e-5)
