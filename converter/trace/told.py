"""What a trace tells beside its graph: notes for the user, and what the model demands of sizes.

Both lie in the graph's metadata until the pipeline takes them out, so they cross to another
interpreter with the graph.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import onnx_ir as ir

from converter.signature import DimRange, Signature

NOTES = "equiport.notes"
SIZES = "equiport.sizes"

INFERENCE_ALONE = "the written module does what the model does in inference"
"""What follows for a difference between training and inference that no layer stands for."""


def tell(model: ir.Model, notes: Sequence[str], sizes: Signature | None = None) -> None:
    """Write notes into a graph, after those that it has; in place.

    Args:
        sizes: its ranges and conditions are what the model demands of the dynamic dimensions.
    """
    if notes:
        known = json.loads(model.metadata_props.get(NOTES, "[]"))
        model.metadata_props[NOTES] = json.dumps(list(dict.fromkeys([*known, *notes])))
    if sizes is not None and (sizes.dims or sizes.conditions):
        dims = {name: [allowed.minimum, allowed.maximum] for name, allowed in sizes.dims.items()}
        model.metadata_props[SIZES] = json.dumps([dims, list(sizes.conditions)])


def taken_notes(model: ir.Model) -> list[str]:
    """Take the notes out of a graph; in place."""
    notes: list[str] = json.loads(model.metadata_props.pop(NOTES, "[]"))
    return notes


def with_taken_sizes(model: ir.Model, signature: Signature) -> Signature:
    """Take ranges and conditions out of a graph and lay them over a signature; in place."""
    text = model.metadata_props.pop(SIZES, None)
    if text is None:
        return signature
    dims, conditions = json.loads(text)
    ranges = {name: DimRange(*ends) for name, ends in dims.items()}
    return replace(signature, dims={**signature.dims, **ranges}, conditions=tuple(conditions))
