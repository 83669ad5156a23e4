"""Why a fault that changes nothing on any input tried may change nothing: said beside each."""

from __future__ import annotations

import onnx_ir as ir

from benchmarks.mutants.facts import Facts
from benchmarks.mutants.plant import MOVING, Place
from benchmarks.mutants.spans import span

UNKNOWN = "no reason known: look at this one"

SCALED = frozenset({"Add", "Cast", "Div", "Expand", "Mul", "Where", *MOVING})
"""What stands between the scores of attention and their softmax."""

SMALL_EPSILON = 1e-9
"""Ten times as much is still below the rounding of a float32 of ordinary size."""

REASONS = {
    "ArgMax: the last of equals": "no two of the computed values are equal and largest at once",
    "activation: dropped": "the values that it reads are inside of what it lets through",
    "activation: ReLU6 for ReLU": "no value behind the layer in front of it passes six",
    "CumSum: exclusive": "all that is summed is 0: it marks where a second packed text begins, and "
    "positions that the model counts itself never do",
    "CumSum: reverse": "all that is summed is 0: it marks where a second packed text begins, and "
    "positions that the model counts itself never do",
    "division: rounding": "no dividend is negative on an input that the model accepts",
    "dynamic dimension: frozen": "it is frozen at the largest sizes that are tried, and serves the "
    "smaller ones by broadcasting; a larger one would show it",
    "Mod: sign": "no dividend is negative on an input that the model accepts",
    "embedding: the padding row zeroed": "the row is masked out, or not looked up, wherever it is",
    "integer: kept in eight bits": "its values (sizes, indices, floats cut off) stay between "
    "-128 and 127 on the inputs tried",
    "integer: kept in 32 bits": "it comes of floats that stay far below 2^31 on the inputs tried",
    "mask: not inverted": "what it decides is multiplied by the constant 0",
    "mask: off by one": "nothing that is compared is ever equal: two computed floats, or counters "
    "of a loop that another condition ends at the same step",
    "input: scaled": "what reads it is compared with a threshold that no value crosses by 2 %",
    "operands: exchanged": "the difference is squared, or its absolute value taken",
    "reduce: keepdims": "the axes are the leading ones, and broadcasting puts them back",
    "precision: float16 in the middle": "what it multiplies is 0, or fits into float16",
    "axes: two exchanged": "what reads it takes the mean or the largest of both axes, or has one "
    "element along one of them",
    "axes: transposition dropped": "only axes of one element move",
    "clip: bound": "no value comes near the bound",
    "padding: dropped": "what is padded is cut off again",
}
"""By kind, in what the models here have."""


def why_unchanged(place: Place, node: ir.Node, facts: Facts) -> str:
    """Return why a fault at a node may change nothing, by its kind and what reads the node."""
    if place.kind.partition(":")[0] in ("bias", "weight") and (text := _not_seen(node)):
        return text
    if place.kind == "concatenation: order" and _is_summed_bias(node):
        return "its parts are the two biases of an LSTM, which adds them up"
    if place.kind.startswith("epsilon") and (epsilon := _epsilon(node)) < SMALL_EPSILON:
        return f"an epsilon of {epsilon:.0e} is lost in the rounding of the variance beside it"
    if place.kind == "integer: kept in 32 bits" and (known := span(node.outputs[0], facts)):
        return f"the result lies between {known[0]} and {known[1]}, its inputs within 32 bits"
    return REASONS.get(place.kind, UNKNOWN)


def _epsilon(node: ir.Node) -> float:
    attribute = node.attributes.get("epsilon")
    return 1e-5 if attribute is None else attribute.as_float()  # ONNX's own for all that have it


def _is_summed_bias(node: ir.Node) -> bool:
    """Tell whether two parts become the biases of recurrent layers that add them up."""
    readers = node.outputs[0].uses()
    return len(node.inputs) == 2 and bool(readers) and all(
        reader.op_type in ("LSTM", "RNN") and index == 3 for reader, index in readers
    )  # fmt: skip


def _not_seen(node: ir.Node) -> str:
    """Say what cancels a bias, ``""`` if nothing that is known does."""
    readers = [reader for reader, _ in node.outputs[0].uses()]
    if readers and all(reader.op_type == "InstanceNormalization" for reader in readers):
        return "the normalisation behind it subtracts each channel's mean, and the bias with it"
    read = _behind(node, SCALED - {"Add", "Where"}, "MatMul")
    keys = all(index == 1 and _behind(product, SCALED, "Softmax") for product, index in read)
    if read and keys:
        return (
            "a bias of attention's keys adds the same to all scores of a query, which softmax "
            "does not see"
        )
    return ""


def _behind(node: ir.Node, between: frozenset[str], wanted: str) -> list[tuple[ir.Node, int]]:
    """Return what reads a node, directly or through others, and at which of its inputs."""
    found: list[tuple[ir.Node, int]] = []
    seen: set[tuple[int, int]] = set()
    rest = [node]
    while rest:
        for value in rest.pop().outputs:
            for reader, index in value.uses():
                if (id(reader), index) in seen:
                    continue
                seen.add((id(reader), index))
                if reader.op_type == wanted:
                    found.append((reader, index))
                elif reader.op_type in between:
                    rest.append(reader)
    return found
