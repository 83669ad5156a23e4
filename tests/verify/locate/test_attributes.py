"""An attribute that is a rounded constant is no error; one that is another constant is."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from benchmarks.mutants.graphs import FLOAT, Drawing
from verify.locate import locate_graphs


def hard_swish() -> ir.Model:
    d = Drawing("written", 0)
    x = d.input("x", FLOAT, [4, 8])
    return d.model(y=(d.add("HardSwish", d.add("MatMul", x, d.weight(8, 8))), FLOAT, [4, 8]))


def written_out(alpha: float) -> ir.Model:
    d = Drawing("written", 0)
    x = d.input("x", FLOAT, [4, 8])
    y = d.add("MatMul", x, d.weight(8, 8))
    gate = d.add("HardSigmoid", y, alpha=alpha, beta=0.5)
    return d.model(y=(d.add("Mul", y, gate), FLOAT, [4, 8]))


@pytest.mark.parametrize(("alpha", "right"), [(1 / 6, True), (1 / 6 + 1e-5, False), (0.2, False)])
def test_hard_swish_written_out(alpha: float, right: bool) -> None:
    x = 3 * np.random.default_rng().standard_normal((4, 8)).astype(np.float32)
    depth = locate_graphs(hard_swish(), written_out(alpha), {"x": x})
    assert depth.passed == right, [node.node for node in depth.origins]


def test_a_double_in_memory_is_what_a_file_holds_of_it() -> None:
    d = Drawing("leaky", 0)
    x = d.input("x", FLOAT, [4, 8])
    model = d.model(y=(d.add("LeakyRelu", x, alpha=0.01), FLOAT, [4, 8]))
    live = model.clone()
    next(iter(live.graph)).attributes["alpha"] = ir.AttrFloat32("alpha", 0.01)
    x = np.random.default_rng().standard_normal((4, 8)).astype(np.float32)
    assert locate_graphs(live, model, {"x": x}).passed
