"""In which order the elements of an input must stand, as its trace has noted it.

Bags of embeddings begin at offsets that do not fall, packed sequences may have to come longest
first, the borders between buckets rise. Whether a graph computes anything sensible from other
inputs is chance, and the source itself may refuse them.
"""

from __future__ import annotations

import onnx_ir as ir

ORDER = "equiport.order"
"""Key in the metadata of an input."""

RISING = "rising"
"""No element is less than the one before it, along the last axis."""

FALLING = "falling"
"""No element is more than the one before it."""

OFFSETS = "offsets"
"""Rising, and the first element is 0."""

SEGMENTS = "segments"
"""Rising ids of segments: there are as many segments as the last one says."""

ORDERS = (RISING, FALLING, OFFSETS, SEGMENTS)


def declare_order(value: ir.Value, order: str) -> None:
    """Note the order of an input's elements; in place."""
    if order not in ORDERS:
        raise ValueError(f"{order!r} is no order")
    value.metadata_props[ORDER] = order


def order_of(value: ir.Value) -> str | None:
    """Return the order that was noted; ``None``: elements may stand in any."""
    return value.metadata_props.get(ORDER)


def orders_of(model: ir.Model) -> dict[str, str]:
    """Return the order of each input that has one, by name."""
    found = {value.name or "": order_of(value) for value in model.graph.inputs}
    return {name: order for name, order in found.items() if order is not None}
