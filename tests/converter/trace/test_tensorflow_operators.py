"""TensorFlow operators give the same numbers after the trace, or are refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from converter.errors import TraceError, UnsupportedOpsError
from converter.formats import Source, from_live
from converter.trace.tensorflow import trace
from converter.trace.tensorflow.handlers import load_translations
from converter.trace.tensorflow.handlers.table import TRANSLATIONS
from tests.converter.trace.tensorflow_against_torch import compare
from tests.converter.trace.tensorflow_operators import Row, f
from tests.converter.trace.tensorflow_rows import ROWS

SEED = int(np.random.SeedSequence().generate_state(1)[0])
BY_NAME = {row.name: row for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_operator_gives_tensorflow_s_numbers_or_is_refused(row: Row) -> None:
    print(f"seed {SEED}")
    if row.refused is None:
        compare(row, SEED)
        return
    with pytest.raises(UnsupportedOpsError) as caught:
        compare(row, SEED)
    assert row.refused in {item.op for item in caught.value.operators}


@pytest.mark.parametrize(
    ("name", "operator"),
    [("unsorted_max", "UnsortedSegmentMax"), ("cumprod_0_True_False", "Cumprod")],
)
def test_a_wrong_translation_is_noticed(
    name: str, operator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = load_translations()

    def wrong(graph, node, **options) -> None:
        rest, outputs = list(node.input[:1]), list(node.output)
        kind, sizes = graph.get_dtype(outputs[0]), graph.get_shape(outputs[0])
        graph.remove_node(node.name)
        graph.make_node("Neg", rest, outputs=outputs, dtypes=[kind], shapes=[sizes])

    monkeypatch.setitem(TRANSLATIONS, operator, wrong)
    assert table is TRANSLATIONS
    with pytest.raises(AssertionError):
        compare(BY_NAME[name], SEED)


def test_what_tf2onnx_fails_at_names_operator_scope_line_and_reason() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 1], tf.float32, "image")])
    def model(image):
        with tf.name_scope("enlarge"):
            return tf.image.resize(image, tf.shape(image)[1:3] * 2, "bicubic")

    with pytest.raises(UnsupportedOpsError) as caught:
        trace(from_live(model))
    (found,) = caught.value.operators
    assert found.op == "ResizeBicubic"
    assert found.module_path.startswith("enlarge")
    assert found.source_line.startswith("test_tensorflow_operators.py:")
    assert "the size to resize to is worked out while the model runs" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_failure_in_tf2onnx_is_never_left_in_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(graph, node, **options) -> None:
        node.type = "Sum"  # what is left looks like ONNX
        raise KeyError("axis")

    monkeypatch.setitem(load_translations(), "Cumprod", broken)
    with pytest.raises(UnsupportedOpsError, match=r"Cumprod at .*\n.*KeyError: 'axis'"):
        compare(Row("broken", lambda x: tf.math.cumprod(x), (f(3),)), SEED)


def test_a_litert_file_is_named_as_no_source() -> None:
    source = Source("tensorflow", "tflite", object(), Path("model.tflite"))
    with pytest.raises(TraceError, match=r"model\.tflite is a LiteRT model .*cannot convert"):
        trace(source)
