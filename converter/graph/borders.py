"""Inputs and outputs in another layout, where the user asks for it; declared, never guessed."""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir

from converter.errors import UsageError
from converter.signature import Signature, TensorSpec

LAYOUTS = ("keep", "nhwc", "nchw")
IMAGE_RANKS = (4, 5)
"""Ranks of ``[batch, channels, height, width]`` and of volumes."""


def check_layout(layout: str) -> None:
    """Refuse a layout that is not one of `LAYOUTS`."""
    if layout not in LAYOUTS:
        raise UsageError(f"unknown layout {layout!r}", hint=f"Known: {', '.join(LAYOUTS)}.")


def permutation_to(layout: str, rank: int) -> tuple[int, ...]:
    """Return how axes move from the other layout to ``layout``: 0,2,3,1 for ``nhwc`` of rank 4."""
    if layout == "nhwc":
        return (0, *range(2, rank), 1)
    return (0, rank - 1, *range(1, rank - 1))


def requested(
    model: ir.Model, signature: Signature, layout: str, source_framework: str
) -> tuple[ir.Model, Signature]:
    """Return the graph with its images in ``layout`` at the borders.

    Floating-point inputs and outputs of rank 4 and 5 are images; a TensorFlow source has them
    channels last, any other channels first. The signature says of each how it was permuted.
    The graph that is given stays as it is.
    """
    check_layout(layout)
    own = "nhwc" if source_framework == "tensorflow" else "nchw"
    if layout in ("keep", own):
        return model, signature
    if not any(_declared(spec, layout) for spec in (*signature.inputs, *signature.outputs)):
        raise UsageError(
            f"--layout {layout} changes nothing: no input and no output is an image, which is a "
            "floating-point tensor with 4 or 5 dimensions",
            hint="Leave --layout out.",
        )
    model = model.clone()
    inputs = {value.name: value for value in model.graph.inputs}
    outputs = {value.name: value for value in model.graph.outputs}
    return model, replace(
        signature,
        inputs=tuple(_permuted_input(model, inputs[s.name], s, layout) for s in signature.inputs),
        outputs=tuple(
            _permuted_output(model, outputs[s.name], s, layout) for s in signature.outputs
        ),
    )


def _declared(spec: TensorSpec, layout: str) -> TensorSpec | None:
    """Return the spec in the other layout, ``None`` if it is no image."""
    if spec.shape is None or len(spec.shape) not in IMAGE_RANKS or "float" not in spec.dtype:
        return None
    permutation = permutation_to(layout, len(spec.shape))
    shape = tuple(spec.shape[axis] for axis in permutation)
    return replace(spec, shape=shape, layout=layout.upper(), permutation=permutation)


def _permuted_input(model: ir.Model, value: ir.Value, spec: TensorSpec, layout: str) -> TensorSpec:
    declared = _declared(spec, layout)
    if declared is None:
        return spec
    assert declared.permutation is not None
    assert value.shape is not None
    inverse = [declared.permutation.index(axis) for axis in range(len(declared.permutation))]
    node = ir.node("Transpose", [value], attributes={"perm": inverse})
    inner = node.outputs[0]
    inner.name, inner.type, inner.shape = f"{value.name}_inner", value.type, value.shape
    value.replace_all_uses_with(inner, replace_graph_outputs=True)
    node.replace_input_with(0, value)
    value.shape = ir.Shape([value.shape[axis] for axis in declared.permutation])
    model.graph.insert_before(next(iter(model.graph)), node)
    return declared


def _permuted_output(model: ir.Model, value: ir.Value, spec: TensorSpec, layout: str) -> TensorSpec:
    declared = _declared(spec, layout)
    if declared is None:
        return spec
    assert declared.permutation is not None
    assert value.shape is not None
    node = ir.node("Transpose", [value], attributes={"perm": list(declared.permutation)})
    outer = node.outputs[0]
    outer.type = value.type
    outer.shape = ir.Shape([value.shape[axis] for axis in declared.permutation])
    name, value.name = value.name, f"{value.name}_inner"
    outer.name = name
    model.graph.append(node)
    index = next(i for i, output in enumerate(model.graph.outputs) if output is value)
    model.graph.outputs[index] = outer
    return declared
