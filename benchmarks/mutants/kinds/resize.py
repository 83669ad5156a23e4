"""Resizing images in another convention."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from benchmarks.mutants.edit import attribute, put, set_attribute
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind

MODES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")


def _coordinates(node: ir.Node) -> str:
    return attribute(node, "coordinate_transformation_mode", "half_pixel")


def _coordinate_kind(name: str, mode: str, summary: str) -> None:
    def find(node: ir.Node, facts: Facts) -> Iterator[Edit]:
        if _coordinates(node) != mode:
            yield Edit(lambda rng: set_attribute(node, "coordinate_transformation_mode", mode))

    find.__doc__ = summary
    find.__module__ = __name__
    kind(name, "Resize")(find)


_coordinate_kind(
    "resize: align_corners", "align_corners", "Corners are aligned where centres of pixels are."
)
_coordinate_kind("resize: half_pixel", "half_pixel", "Centres of pixels are at halves.")
_coordinate_kind("resize: asymmetric", "asymmetric", "Coordinates are scaled from the corner.")


@kind("resize: rounding of nearest", "Resize")
def nearest_mode(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The nearest pixel is chosen by another rounding."""
    if attribute(node, "mode", "nearest") != "nearest":
        return
    current = attribute(node, "nearest_mode", "round_prefer_floor")
    for other in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
        if other != current:
            yield Edit(lambda rng, mode=other: set_attribute(node, "nearest_mode", mode))


@kind("resize: interpolation", "Resize")
def interpolation(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Nearest, linear and cubic are taken for each other."""
    current = attribute(node, "mode", "nearest")
    for other in ("nearest", "linear", "cubic"):
        if other != current:
            yield Edit(lambda rng, mode=other: set_attribute(node, "mode", mode))


@kind("resize: cubic coefficient", "Resize")
def cubic_coefficient(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """TensorFlow's -0.5 and PyTorch's -0.75 are taken for each other."""
    if attribute(node, "mode", "nearest") == "cubic":
        other = -0.5 if attribute(node, "cubic_coeff_a", -0.75) < -0.6 else -0.75
        yield Edit(lambda rng: set_attribute(node, "cubic_coeff_a", other))


@kind("resize: weights at the border", "Resize")
def exclude_outside(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Weights outside of the image count as zero, or do not."""
    if attribute(node, "mode", "nearest") == "cubic":
        other = 1 - attribute(node, "exclude_outside", 0)
        yield Edit(lambda rng: set_attribute(node, "exclude_outside", other))


@kind("resize: antialias", "Resize")
def antialias(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The image is, or is not, smoothed before it is made smaller."""
    smaller = facts.shape(node.outputs[0]) < facts.shape(node.inputs[0])
    if attribute(node, "mode", "nearest") != "nearest" and smaller:
        other = 1 - attribute(node, "antialias", 0)
        yield Edit(lambda rng: set_attribute(node, "antialias", other))


@kind("resize: factor from the rounded size", "Resize")
def factor_from_size(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The scale is output size over input size in place of the factor that was given."""
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return
    scales = facts.constant(node.inputs[2])
    sizes = facts.shape(node.outputs[0]), facts.shape(node.inputs[0])
    if scales is None or scales.size == 0 or not all(sizes):
        return
    exact = [out / size for out, size in zip(*sizes, strict=True)]
    other = scales.copy()
    other[2:] = exact[2:]
    if (abs(other - scales) > 1e-6).any():
        yield Edit(lambda rng: put(node, 2, other))
