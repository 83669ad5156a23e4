"""Sums of 16-bit floats are added up in 32, as PyTorch and ONNX Runtime do."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from converter.rebuild.pytorch import build as in_pytorch
from converter.rebuild.tensorflow import build as in_tensorflow

OPERATORS = {
    "ReduceMean": "ReduceMean<axes=[2,3]>",
    "GlobalAveragePool": "GlobalAveragePool",
    "ReduceL1": "ReduceL1<axes=[2,3]>",
    "ReduceLogSumExp": "ReduceLogSumExp<axes=[2,3]>",
}


def graph(operator: str, dtype: str) -> ir.Model:
    return ir.from_onnx_text(f"""<ir_version: 10, opset_import: ["" : 13]>
        g ({dtype}[n,2,8,12] x) => ({dtype}[a,b,c,d] y) {{ y = {operator}(x) }}""")


def outputs(operator: str, dtype: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the results of PyTorch, of TensorFlow and of PyTorch in float64, all in float64."""
    import tensorflow as tf
    import torch

    narrow = getattr(torch, dtype)
    given = torch.from_numpy(x).to(narrow)
    mine = in_pytorch(graph(operator, dtype))(given).double().numpy()
    theirs = in_tensorflow(graph(operator, dtype))(tf.cast(tf.constant(x), dtype))
    exact = in_pytorch(graph(operator, "double"))(given.double()).numpy()
    return mine, tf.cast(theirs, tf.float64).numpy(), exact


@pytest.mark.parametrize("title", OPERATORS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_only_the_result_is_rounded(title: str, dtype: str) -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    x = np.random.default_rng(seed).normal(1, 1, (3, 2, 8, 12)).astype(np.float32)
    mine, theirs, exact = outputs(OPERATORS[title], dtype, x)
    half_a_unit = {"float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype] * 1.01
    np.testing.assert_allclose(theirs, exact, rtol=half_a_unit, atol=half_a_unit * 0.01)
    assert not np.allclose(theirs * (1 + 4 * half_a_unit), exact, rtol=half_a_unit, atol=0)
    np.testing.assert_allclose(mine, theirs, rtol=2 * half_a_unit, atol=half_a_unit * 0.01)


def test_a_mean_whose_sum_overflows_is_finite() -> None:
    x = np.full((1, 2, 8, 12), 10_000, np.float32)
    for operator in ("ReduceMean<axes=[2,3]>", "GlobalAveragePool"):
        mine, theirs, exact = outputs(operator, "float16", x)
        assert np.isfinite(theirs).all()
        np.testing.assert_array_equal(theirs, exact)
        np.testing.assert_array_equal(theirs, mine)
