"""Convolutions with padding, kernels or groups read in another convention."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import attribute, before, put, set_attribute
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind

CONVS = ("Conv", "ConvTranspose")
POOLS = ("MaxPool", "AveragePool", "LpPool")


def _pads(node: ir.Node) -> tuple[int, ...]:
    return tuple(attribute(node, "pads", ()))


@kind("padding: on the other side", *CONVS, *POOLS)
def asymmetric_padding_moved(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """What is padded at the end is padded at the beginning."""
    pads = _pads(node)
    half = len(pads) // 2
    if pads[:half] != pads[half:]:
        yield Edit(lambda rng: set_attribute(node, "pads", pads[half:] + pads[:half]))


@kind("padding: other side, by Pad", "Pad")
def pad_moved(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A Pad puts at the beginning what belongs at the end."""
    pads = facts.constant(node.inputs[1])
    if pads is None:
        return
    half = len(pads) // 2
    other = np.concatenate([pads[half:], pads[:half]])
    if not np.array_equal(other, pads):
        yield Edit(lambda rng: put(node, 1, other))


@kind("padding: SAME as TensorFlow has it", *CONVS, *POOLS)
def symmetric_padding_moved(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """One row of symmetric padding moves to the end: ``SAME_UPPER`` of a strided layer."""
    pads = _pads(node)
    half = len(pads) // 2
    if half and pads[:half] == pads[half:] and min(pads) > 0:
        moved = tuple(p - 1 for p in pads[:half]) + tuple(p + 1 for p in pads[half:])
        yield Edit(lambda rng: set_attribute(node, "pads", moved))


@kind("padding: edge in place of zeros", "Conv")
def edge_padding(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The border is repeated where zeros belong."""
    pads = _pads(node)
    if not any(pads):
        return
    half = len(pads) // 2
    full = np.array([0, 0, *pads[:half], 0, 0, *pads[half:]])

    def change(rng: np.random.Generator) -> None:
        node.replace_input_with(0, before(node, "Pad", [node.inputs[0], full], mode="edge"))
        set_attribute(node, "pads", (0,) * len(pads))

    yield Edit(change)


@kind("padding: mode", "Pad")
def padding_mode(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Reflect, edge, wrap and constant padding are taken for each other."""
    pads = facts.constant(node.inputs[1])
    if pads is None or not np.any(pads):
        return
    other = {"constant": "edge", "edge": "reflect", "reflect": "edge", "wrap": "reflect"}
    mode = other[attribute(node, "mode", "constant")]

    def change(rng: np.random.Generator) -> None:
        if len(node.inputs) > 2:
            node.replace_input_with(2, None)
        set_attribute(node, "mode", mode)

    yield Edit(change)


@kind("padding: constant", "Pad")
def padding_constant(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """One is padded with in place of the declared constant."""
    pads = facts.constant(node.inputs[1])
    floats = facts.dtype(node.inputs[0]) == "float32"
    constant = attribute(node, "mode", "constant") == "constant"
    if pads is None or not np.any(pads) or not floats or not constant:
        return

    def change(rng: np.random.Generator) -> None:
        node.resize_inputs(max(3, len(node.inputs)))
        put(node, 2, np.array(1.0, np.float32))

    yield Edit(change)


@kind("convolution: dilation ignored", "Conv")
def dilation_ignored(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The kernel is not spread; the padding keeps the output's size."""
    dilations, pads = attribute(node, "dilations", ()), _pads(node)
    kernel = facts.shape(node.inputs[1])[2:]
    if not any(d > 1 for d in dilations) or not kernel:
        return
    less = [(d - 1) * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    pads = pads or (0,) * (2 * len(kernel))
    half = len(pads) // 2
    moved = [p - n // 2 for p, n in zip(pads[:half], less, strict=True)]
    moved += [p - (n - n // 2) for p, n in zip(pads[half:], less, strict=True)]
    if min(moved) < 0:
        return

    def change(rng: np.random.Generator) -> None:
        set_attribute(node, "dilations", (1,) * half)
        set_attribute(node, "pads", tuple(moved))

    yield Edit(change)


@kind("convolution: kernel flipped", *CONVS)
def kernel_flipped(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A true convolution in place of a cross-correlation."""
    kernel = facts.constant(node.inputs[1])
    if kernel is not None and max(kernel.shape[2:], default=1) > 1:
        flipped = np.flip(kernel, tuple(range(2, kernel.ndim)))
        yield Edit(lambda rng: put(node, 1, flipped))


@kind("convolution: kernel's height and width exchanged", *CONVS)
def kernel_axes(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The spatial axes of a kernel are transposed."""
    kernel = facts.constant(node.inputs[1])
    if kernel is not None and kernel.ndim == 4 and kernel.shape[2] == kernel.shape[3] > 1:
        yield Edit(lambda rng: put(node, 1, kernel.swapaxes(2, 3)))


@kind("convolution: kernel's channels exchanged", *CONVS)
def kernel_channels(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Input and output channels of a kernel are read in each other's order."""
    kernel = facts.constant(node.inputs[1])
    if kernel is not None and min(kernel.shape[:2]) > 1:
        other = np.ascontiguousarray(kernel.swapaxes(0, 1)).reshape(kernel.shape)
        yield Edit(lambda rng: put(node, 1, other))


@kind("convolution: order of groups", *CONVS)
def group_order(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Each group has the kernels of the next one."""
    kernel, groups = facts.constant(node.inputs[1]), attribute(node, "group", 1)
    if kernel is not None and groups > 1:
        rolled = np.roll(kernel, kernel.shape[0] // groups, axis=0)
        yield Edit(lambda rng: put(node, 1, rolled))


@kind("convolution: channels interleaved over groups", "Conv")
def groups_interleaved(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Output channel ``i`` belongs to group ``i % groups`` in place of ``i // (n / groups)``."""
    kernel, groups = facts.constant(node.inputs[1]), attribute(node, "group", 1)
    if kernel is not None and groups > 1 and kernel.shape[0] > groups:
        order = np.arange(kernel.shape[0]).reshape(groups, -1).T.reshape(-1)
        yield Edit(lambda rng: put(node, 1, kernel[order]))


@kind("axes: height and width exchanged", "Conv")
def spatial_axes(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The input is transposed in its spatial axes."""
    shape = facts.shape(node.inputs[0])
    kernel = facts.shape(node.inputs[1])
    if len(shape) == 4 and shape[2] == shape[3] > 1 and max(kernel[2:], default=1) > 1:

        def change(rng: np.random.Generator) -> None:
            turned = before(node, "Transpose", [node.inputs[0]], perm=(0, 1, 3, 2))
            node.replace_input_with(0, turned)

        yield Edit(change)


@kind("image: channels in the other order", "Conv")
def channel_order(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """BGR in place of RGB."""
    kernel = facts.constant(node.inputs[1])
    if kernel is not None and kernel.shape[1] == 3 and attribute(node, "group", 1) == 1:
        yield Edit(lambda rng: put(node, 1, kernel[:, ::-1]))


@kind("convolution: stride before kernel", "Conv")
def stride_phase(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A strided convolution skips the positions that it should take."""
    strides, pads = attribute(node, "strides", ()), _pads(node)
    shape = facts.shape(node.inputs[0])
    if len(shape) != 4 or not strides or min(strides) < 2 or any(pads):
        return

    def change(rng: np.random.Generator) -> None:
        starts, ends = np.array([1, 1]), np.array([2**31 - 1, 2**31 - 1])
        cut = before(node, "Slice", [node.inputs[0], starts, ends, np.array([2, 3])])
        pad = np.array([0, 0, 0, 0, 0, 0, 1, 1])
        node.replace_input_with(0, before(node, "Pad", [cut, pad]))

    yield Edit(change)
