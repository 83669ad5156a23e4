"""What Equiport writes for TensorFlow can be traced again, dynamic broadcasts included."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from verify import verify


def test_a_broadcast_of_open_sizes_is_traced(tmp_path):
    pytest.importorskip("tensorflow")
    import converter

    model = ir.from_onnx_text("""<ir_version: 10, opset_import: ["" : 20]>
        g (float[n,1,k] x, float[m,1] y) => (float[n,m,k] z) {
          s = Shape(x)
          t = Shape(y)
          wide = Expand(y, s)
          z = Mul(x, wide)
        }""")
    converter.convert(model, to="tf", output=tmp_path / "out", verify=False)
    draw = np.random.default_rng(1)
    for n, m, k in ((2, 3, 4), (1, 5, 1)):
        given = {
            "x": draw.standard_normal((n, 1, k)).astype(np.float32),
            "y": draw.standard_normal((m, 1)).astype(np.float32),
        }
        report = verify(model, tmp_path / "out", inputs=given, deep=True)
        assert report.passed, report
        assert report.depth.nodes, report.depth.note
