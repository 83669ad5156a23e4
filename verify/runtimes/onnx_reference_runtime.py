"""ONNX's own reference evaluator: slow, in NumPy, and close to the letter of the standard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from converter.errors import UsageError
from converter.graph.bounds import with_bounds
from converter.graph.signatures import signature_of
from converter.signature import Signature
from verify.arrays import as_array
from verify.runtimes.onnx_reference_loop import Loop

if TYPE_CHECKING:
    import numpy as np

    from converter.formats import Source


class ReferenceRunner:
    """Runs the evaluator; see `verify.runtimes.Runner`."""

    named_outputs = True

    def __init__(self, model: ir.Model, signature: Signature) -> None:
        self.evaluator, self.signature = evaluator(model), signature
        self.input_names = [spec.name for spec in signature.inputs]

    def prepare(self, inputs: dict[str, np.ndarray]) -> Any:
        return inputs

    def call(self, prepared: Any) -> Any:
        return self.evaluator.run(None, prepared)

    def fetch(self, result: Any) -> dict[str, np.ndarray]:
        names = self.evaluator.output_names
        return {name: as_array(value) for name, value in zip(names, result, strict=True)}

    def held(self, names: list[str]) -> dict[str, np.ndarray]:
        return {}  # a graph keeps nothing

    def put(self, values: dict[str, np.ndarray]) -> None:
        """Nothing to put back."""

    def close(self) -> None:
        """Nothing to put back."""


def open(source: Source, device: str, signature: Signature | None) -> ReferenceRunner:
    """Get the evaluator ready.

    Raises:
        UsageError: another device than the CPU is asked for, or the evaluator would compute
            something else than the standard says.
    """
    if device != "cpu":
        raise UsageError("the ONNX reference evaluator runs on the CPU only")
    model = source.model
    if isinstance(model, onnx.ModelProto):
        model = ir.serde.deserialize_model(model)
    refuse_lengths(model)
    own = source.signature or signature_of(model)
    return ReferenceRunner(model, with_bounds(own, model))


def refuse_lengths(model: ir.Model) -> None:
    """Refuse recurrent layers that are told where each row ends: the evaluator does not look.

    Raises:
        UsageError: there is one.
    """
    for node in model.graph.all_nodes():
        told = len(node.inputs) > 4 and node.inputs[4] is not None
        if node.op_type in ("RNN", "GRU", "LSTM") and told:
            raise UsageError(
                f"ONNX's reference evaluator ignores the lengths that {node.op_type} "
                f"{node.name or ''} is given, so its numbers would be wrong",
                hint="Use another runtime, for example --runtime onnxruntime.",
            )


def evaluator(model: ir.Model) -> ReferenceEvaluator:
    """Return the evaluator of a graph; weights that lie in files are read, for it cannot."""
    held = ir.external_data.load_to_model(model.clone())
    return ReferenceEvaluator(ir.serde.serialize_model(held), new_ops=[Loop])
