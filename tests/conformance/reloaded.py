"""Second runs in TensorFlow: each case saved as a SavedModel, loaded and run from there.

What has only tensors goes through the artifact that a conversion writes, by the names of its
signature. Sequences and optionals, which a signature does not hold, go through a `tf.function` in
the SavedModel.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
import tensorflow as tf

from converter.formats import saved_model
from converter.onnx_backend import TensorFlowRep, _element_type, _inward, _results
from converter.rebuild.tensorflow.dtypes import from_numpy, to_numpy
from converter.record import Record
from tests.conformance.suite import Case, load


def reason_not_exported(name: str) -> None:
    """Every case that passes has to pass from a SavedModel too."""
    return


def run(case: Case) -> tuple[list[tuple[Any, Any]], list[str]]:
    """Save, load and run a case; return pairs to compare (no input is ever fixed)."""
    model, data = load(case)
    pairs: list[tuple[Any, Any]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for inputs, expected in data:
            pairs += zip(run_reloaded(model, inputs), expected, strict=True)
    return pairs, []


def run_reloaded(model: onnx.ModelProto, inputs: list) -> tuple:
    """Build, save, load and run."""
    rep = TensorFlowRep(ir.serde.deserialize_model(model))
    tensors = [
        _inward(value, _element_type(spec.type), from_numpy)
        for value, spec in zip(inputs, rep.inputs, strict=False)
    ]
    borders = [*rep.inputs, *rep.model.graph.outputs]
    plain = not any(isinstance(v.type, ir.SequenceType | ir.OptionalType) for v in borders)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        results = _by_signature(rep, path, tensors) if plain else _by_function(rep, path, tensors)
        return _results(results, rep.model, to_numpy)


def _by_signature(rep: TensorFlowRep, path: Path, tensors: list) -> Any:
    signature = rep.module.signature
    saved_model.save(rep.module, path, Record(signature))
    serving = tf.saved_model.load(str(path)).signatures["serving_default"]
    names = [spec.name for spec in signature.inputs]
    found = serving(**dict(zip(names, tensors, strict=True)))
    results = tuple(found[spec.name] for spec in signature.outputs)
    return results if len(results) > 1 else results[0]


def _by_function(rep: TensorFlowRep, path: Path, tensors: list) -> Any:
    holder = tf.Module()
    holder.module = rep.module
    holder.run = tf.function(rep.module.run_graph, autograph=False)
    specs = tf.nest.map_structure(
        lambda x: None if x is None else tf.TensorSpec(x.shape, x.dtype), tensors
    )
    holder.run.get_concrete_function(*specs)
    tf.saved_model.save(holder, str(path))
    return tf.saved_model.load(str(path)).run(*tensors)
