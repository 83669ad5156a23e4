"""Activations in another variant, with another constant, or none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import attribute, before, bypass, put, replace, set_attribute
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind

FEW = 8
"""Fewer channels than this have no tenth."""


def _number(value: float) -> np.ndarray:
    return np.array(value, np.float32)


@kind("GELU: tanh for erf", "Gelu")
def gelu_variant(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The tanh approximation in place of the exact function, or the other way round."""
    other = "tanh" if attribute(node, "approximate", "none") == "none" else "none"
    yield Edit(lambda rng: set_attribute(node, "approximate", other))


@kind("GELU: tanh for erf, written out", "Erf")
def erf_by_tanh(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """``tanh(sqrt(2/pi) (x + 0.044715 x^3))`` in place of ``erf(x / sqrt(2))``."""

    def change(rng: np.random.Generator) -> None:
        x = before(node, "Mul", [node.inputs[0], _number(np.sqrt(2))])
        cube = before(node, "Mul", [before(node, "Mul", [x, x]), x])
        inner = before(node, "Add", [x, before(node, "Mul", [cube, _number(0.044715)])])
        replace(node, "Tanh", [before(node, "Mul", [inner, _number(np.sqrt(2 / np.pi))])])

    yield Edit(change)


@kind("GELU: quick", "Gelu")
def quick_gelu(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """``x sigmoid(1.702 x)`` in place of GELU."""

    def change(rng: np.random.Generator) -> None:
        x = node.inputs[0]
        gate = before(node, "Sigmoid", [before(node, "Mul", [x, _number(1.702)])])
        replace(node, "Mul", [x, gate])

    yield Edit(change)


@kind("activation: slope", "LeakyRelu", "ThresholdedRelu", "Elu", "Celu", "Selu")
def slope(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The other framework's default: 0.01 and 0.3 of LeakyReLU, another alpha of ELU."""
    defaults = {"LeakyRelu": 0.01, "Selu": 1.67326}
    alpha = attribute(node, "alpha", defaults.get(node.op_type, 1.0))
    other = 0.3 if alpha < 0.1 else alpha * 0.5
    yield Edit(lambda rng: set_attribute(node, "alpha", float(other)))


@kind("activation: HardSigmoid's constants", "HardSigmoid")
def hard_sigmoid(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """``0.2 x + 0.5`` (Keras of old, and ONNX) for ``x / 6 + 0.5`` (PyTorch), or back."""
    alpha = attribute(node, "alpha", 0.2)
    other = 0.2 if alpha < 0.19 else 1 / 6
    yield Edit(lambda rng: set_attribute(node, "alpha", other))


@kind("activation: Swish for HardSwish", "HardSwish")
def swish(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The smooth function in place of the piecewise one."""

    def change(rng: np.random.Generator) -> None:
        replace(node, "Mul", [node.inputs[0], before(node, "Sigmoid", [node.inputs[0]])])

    yield Edit(change)


@kind("activation: HardSigmoid for Sigmoid", "Sigmoid")
def hard_for_smooth(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The piecewise function in place of the smooth one."""
    yield Edit(lambda rng: replace(node, "HardSigmoid", [node.inputs[0]], alpha=0.2, beta=0.5))


@kind("activation: dropped", "Relu", "Sigmoid", "Tanh", "Softmax", "Gelu", "Elu", "LeakyRelu",
      "HardSwish", "HardSigmoid", "Clip", "Softplus", "Selu", "PRelu", "LogSoftmax")  # fmt: skip
def dropped(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """An activation is left out, as where logits are taken for probabilities."""
    yield Edit(lambda rng: bypass(node, 0), rewires=True)


@kind("activation: ReLU6 for ReLU", "Relu")
def relu6(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Values are cut at 6."""
    yield Edit(lambda rng: replace(node, "Clip", [node.inputs[0], _number(0), _number(6)]))


@kind("activation: ELU for ReLU", "Relu")
def elu(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Negative values come through."""
    yield Edit(lambda rng: replace(node, "Elu", [node.inputs[0]]))


@kind("clip: bound", "Clip")
def clip_bound(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A bound is left out or moved by one."""
    for index in range(1, len(node.inputs)):
        bound = facts.constant(node.inputs[index])
        if bound is None:
            continue
        step = 1 if index == 2 else -1
        moved = np.asarray(bound + step).astype(bound.dtype)
        yield Edit(lambda rng, i=index, a=moved: put(node, i, a))


@kind("PReLU: slopes shifted by a channel", "PRelu")
def prelu_slopes(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Each channel has its neighbour's slope."""
    slopes = facts.constant(node.inputs[1])
    if slopes is not None and slopes.size > 1:
        yield Edit(lambda rng: put(node, 1, np.roll(slopes.reshape(-1), 1).reshape(slopes.shape)))


@kind("dropout: left on", "Relu", "Gelu", "Softmax", "LayerNormalization", "HardSwish", "Tanh")
def dropout_left_on(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A tenth of the channels is dropped, and the rest enlarged, as in training.

    Always the same ones: ONNX Runtime leaves a Dropout out, in training mode, too.
    """
    shape = facts.shape(node.inputs[0])
    axis = 1 if len(shape) == 4 else len(shape) - 1
    if not shape or shape[axis] < FEW:
        return

    def change(rng: np.random.Generator) -> None:
        width = shape[axis]
        kept = np.ones(width, np.float32)
        kept[rng.permutation(width)[: max(1, width // 10)]] = 0
        mask = (kept / kept.mean()).astype(np.float32)
        mask = mask.reshape(-1, *(1,) * (len(shape) - 1 - axis))
        node.replace_input_with(0, before(node, "Mul", [node.inputs[0], mask]))

    yield Edit(change)
