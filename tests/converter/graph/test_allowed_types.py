"""What goes into an ONNX file has types of the standard."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.reference
import onnx_ir as ir
import pytest
import tensorflow as tf

import converter
from converter.graph.allowed_types import with_allowed_types

SEED = int(np.random.SeedSequence().generate_state(1)[0])


def model(dtype: str, opset: int) -> ir.Model:
    return ir.from_onnx_text(f"""<ir_version: 9, opset_import: ["" : {opset}]>
        agraph ({dtype}[n, 2, 5] x, {dtype}[3, 2, 2] w) => ({dtype}[n, 3, k] y) {{
            small = Mul (x, x)
            y = Conv (small, w)
        }}""")


def kinds(graph: ir.Model) -> list[str]:
    return [node.op_type for node in graph.graph]


def is_valid(graph: ir.Model) -> bool:
    try:
        onnx.checker.check_model(ir.serde.serialize_model(graph), full_check=True)
    except onnx.shape_inference.InferenceError:
        return False
    return True


@pytest.mark.parametrize(
    ("dtype", "opset", "widened"),
    [("bfloat16", 18, True), ("bfloat16", 22, False), ("float16", 18, False), ("float", 18, False)],
)
def test_an_operator_computes_wider_where_the_standard_lacks_its_type(
    dtype: str, opset: int, widened: bool
) -> None:
    before = model(dtype, opset)
    after = with_allowed_types(before)
    assert (after is not before) == widened
    assert kinds(before) == ["Mul", "Conv"]  # what was given is left as it was
    expected = ["Mul", "Cast", "Cast", "Conv", "Cast"] if widened else ["Mul", "Conv"]
    assert kinds(after) == expected
    assert [value.name for value in after.graph.outputs] == ["y"]
    assert is_valid(after)
    assert is_valid(before) != widened


def test_a_convolution_of_bfloat16_arrives_in_an_onnx_file() -> None:
    print(f"seed {SEED}")
    rng = np.random.default_rng(SEED)
    kernel = tf.cast(rng.normal(size=(3, 3, 2, 4)), tf.bfloat16)

    @tf.function
    def convolved(x: Any) -> Any:
        return tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))

    result = converter.convert(convolved, "onnx", inputs=["x:bfloat16[2,5,5,2]"], verify=False)
    assert is_valid(result.model)
    x = tf.cast(rng.normal(size=(2, 5, 5, 2)), tf.bfloat16)
    (got,) = onnx.reference.ReferenceEvaluator(ir.serde.serialize_model(result.model)).run(
        None, {"x": x.numpy()}
    )
    want = convolved(x).numpy().astype(np.float32)
    np.testing.assert_allclose(got.astype(np.float32), want, rtol=2e-2, atol=2e-2)
