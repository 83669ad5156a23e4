"""ONNX's reference evaluator as a runtime: what it does wrong by itself is right or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from converter.errors import UsageError
from verify import verify
from verify.runtimes.onnx_reference_loop import Loop

SEED = int(np.random.SeedSequence().generate_state(1)[0])

HEADER = '<ir_version: 8, opset_import: ["" : 18]>'

LOOP = """agraph (float[n, 3] x, int64 m)
    => (float[n, 3] last, float[k, n, 3] rows, float[k] means) {
    yes = Constant <value = bool {1}> ()
    last, rows, means = Loop (m, yes, x) <body = b (int64 i, bool going, float[n, 3] state)
        => (bool again, float[n, 3] next, float[n, 3] row, float mean) {
            again = Identity (going)
            f = CastLike (i, state)
            next = Add (state, f)
            row = Mul (next, f)
            mean = ReduceMean <keepdims = 0> (row)
        }>
}"""

LENGTHS = """agraph (float[t, b, 3] x, int32[b] lengths) => (float[t, 1, b, 2] y)
    <float[1, 8, 3] w, float[1, 8, 2] r> {
        y = LSTM <hidden_size = 2> (x, w, r, , lengths)
}"""


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_loop_stacks_what_its_iterations_give(count: int) -> None:
    print(f"seed {SEED}")
    model = onnx.parser.parse_model(f"{HEADER} {LOOP}")
    x = np.random.default_rng(SEED).normal(size=(2, 3)).astype(np.float32)
    given = {"x": x, "m": np.array(count)}
    mine = ReferenceEvaluator(model, new_ops=[Loop]).run(None, given)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for array, want in zip(mine, session.run(None, given), strict=True):
        assert array.dtype == want.dtype
        assert len(array) == len(want)
        np.testing.assert_allclose(array[: len(want)], want, rtol=1e-6)
    if count > 1:  # the evaluator's own: this test and the class may go once it stacks
        assert ReferenceEvaluator(model).run(None, given)[1].shape != mine[1].shape


def test_a_loop_is_judged_as_it_is(tmp_path: Path) -> None:
    onnx.save(onnx.parser.parse_model(f"{HEADER} {LOOP}"), str(tmp_path / "loop.onnx"))
    file = tmp_path / "loop.onnx"
    report = verify(file, file, runtime=["onnx_reference"], locate=False)
    assert report.passed, str(report)


def test_lengths_are_refused() -> None:
    model = onnx.parser.parse_model(f"{HEADER} {LENGTHS}")
    with pytest.raises(UsageError, match="ignores the lengths that LSTM"):
        verify(model, model, runtime=["onnx_reference"], locate=False)
