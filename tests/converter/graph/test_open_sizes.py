"""Open sizes are expressions of the inputs' sizes, true at every size that the model takes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime
import pytest

from converter.expressions import size_of
from converter.graph.shapes import infer_shapes
from converter.graph.structure import open_sizes

HEADER = '<ir_version: 8, opset_import: ["" : 18]>'

MODEL = """{header} agraph (float[n, 2, h, w] x) => (float[a, b, c, d] y) {{
    {nodes}
}}"""

CASES = {
    "strided": "y = Conv <strides = [2, 3], pads = [1, 0, 1, 2]> (x, k)",
    "dilated": "y = Conv <dilations = [2, 1], kernel_shape = [3, 3]> (x, k)",
    "same": 'y = Conv <auto_pad = "SAME_UPPER", strides = [2, 1]> (x, k)',
    "valid": 'y = Conv <auto_pad = "VALID", strides = [2, 2]> (x, k)',
    "pooled": "y = MaxPool <kernel_shape = [3, 2], strides = [2, 2], pads = [1, 0, 1, 0]> (x)",
    "averaged": 'y = AveragePool <kernel_shape = [2, 2], auto_pad = "SAME_LOWER"> (x)',
    "up": "z = Conv (x, k)\n y = ConvTranspose <strides = [2, 3], pads = [1, 0, 0, 1], "
          "output_padding = [1, 0]> (z, t)",
    "one after the other": "z = Conv <strides = [2, 2]> (x, k)\n u = Relu (z)\n"
                           " y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (u)",
    "joined": "z = MaxPool <kernel_shape = [2, 2]> (x)\n y = Concat <axis = 2> (z, z)",
}  # fmt: skip


def named(nodes: str) -> tuple[onnx.ModelProto, tuple[int | str, ...]]:
    """Return a model, and the shape of what comes before its last output's declaration."""
    proto = onnx.parser.parse_model(MODEL.format(header=HEADER, nodes=nodes))
    generator = np.random.default_rng(1)
    for name, shape in (("k", (4, 2, 3, 3)), ("t", (4, 2, 2, 2))):
        drawn = generator.normal(size=shape).astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(drawn, name))
    model = ir.serde.deserialize_model(proto)
    model = open_sizes.name_open_sizes(infer_shapes(model))
    shape = model.graph.outputs[0].shape
    assert shape is not None
    return proto, tuple(s if isinstance(s, int) else str(s.value) for s in shape)


def wrong_at(proto: onnx.ModelProto, shape: tuple[int | str, ...]) -> list[tuple[int, int]]:
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    wrong = []
    for h, w in ((6, 7), (7, 6), (8, 8), (9, 12), (13, 10), (16, 15)):
        (result,) = session.run(None, {"x": np.zeros((2, 2, h, w), np.float32)})
        words = {"n": 2, "h": h, "w": w}
        if tuple(size_of(size, words) for size in shape) != result.shape:
            wrong.append((h, w))
    return wrong


@pytest.mark.parametrize("name", CASES)
def test_the_expressions_are_true(name: str) -> None:
    proto, shape = named(CASES[name])
    assert not wrong_at(proto, shape)


def test_a_wrong_expression_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: rounded up where windows round down."""
    floor = open_sizes._floor

    def rounded_up(above: object, below: int) -> object:
        return floor(above + below - 1, below)  # type: ignore[operator]

    monkeypatch.setattr(open_sizes, "_floor", rounded_up)
    proto, shape = named(CASES["strided"])
    assert wrong_at(proto, shape)


def test_what_no_rule_tells_keeps_its_word() -> None:
    _, shape = named("y = MaxPool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (x)")
    assert all(not isinstance(size, str) or size.isidentifier() for size in shape)
