"""What the zoo knows of one model before any framework is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from converter.errors import UsageError
from converter.signature import Signature, parse_inputs

Framework = Literal["torch", "tf"]

FRAMEWORKS: tuple[Framework, ...] = ("torch", "tf")


@dataclass(frozen=True)
class Side:
    """One model in one framework.

    Attributes:
        inputs: as ``--input`` takes them, ``name:dtype[dims]``; words are dynamic dimensions.
        build: ``pkg.mod:function`` that returns the bare architecture.
        train: ``pkg.mod:function`` that trains what ``build`` returned, in place, given a seed;
            ``None``: the weights are random.
        weights_only: PyTorch's own export would fix a dynamic dimension (it takes recurrent layers
            apart into time steps), so the model is exported as a ``state_dict``.
        own_classes: a ``.keras`` file of it names classes that are not Keras's, so that it is read
            with ``build``.
    """

    inputs: tuple[str, ...]
    build: str
    train: str | None = None
    weights_only: bool = False
    own_classes: bool = False

    @property
    def signature(self) -> Signature:
        """The inputs, parsed; without outputs."""
        return parse_inputs(self.inputs)


@dataclass(frozen=True)
class Rule:
    """How one Keras weight is made of PyTorch's.

    Attributes:
        keras: the Keras weight's path, e.g. ``hidden/kernel``.
        torch: the names in the ``state_dict`` that it is made of.
        transform: takes those arrays in order and returns the Keras weight.
    """

    keras: str
    torch: tuple[str, ...]
    transform: Callable[..., Any]


@dataclass(frozen=True)
class Entry:
    """A model of the zoo, in one framework or in both.

    Attributes:
        name: what it is asked for by.
        summary: one line.
        torch, tf: the model in each framework, where there is one.
        seed: of the random weights, or of the training.
        gain: factor on the random kernels, where the architecture would flatten the signal.
        damped: end of the path of Keras weights that are scaled by 0.3: where a residual branch is
            as large as its shortcut, a random network amplifies its own rounding noise.
        name_map: rules that make every weight of the Keras twin of the PyTorch twin's.
        permutations: input or output name (``output`` for the only one) to the axes by which
            PyTorch's tensor becomes TensorFlow's: ``tf = torch.transpose(permutation)``.
        bounds: integer input to its smallest and largest valid value.
        padded: integer inputs that end in zeros, as a padded batch of sentences does.
        sizes: dynamic dimension to the sizes it is checked at.
        tolerance: largest legitimate difference, relative to the largest element of the output.
        tolerance_note: why it is that large, where it is not the zoo's usual 2e-5.
        score: ``pkg.mod:function(predict) -> (metric, value)`` where the model was trained;
            ``predict`` maps an array in PyTorch's layout to the model's output, both NumPy.
    """

    name: str
    summary: str
    torch: Side | None = None
    tf: Side | None = None
    seed: int = 0
    gain: float = 1.0
    damped: str | None = None
    name_map: tuple[Rule, ...] = ()
    permutations: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    padded: frozenset[str] = frozenset()
    sizes: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: {"batch": (1, 2, 5)})
    tolerance: float = 2e-5
    tolerance_note: str = ""
    score: str | None = None

    @property
    def frameworks(self) -> tuple[Framework, ...]:
        """Frameworks that the model exists in."""
        return tuple(name for name in FRAMEWORKS if getattr(self, name) is not None)

    @property
    def directions(self) -> tuple[tuple[str, str], ...]:
        """Conversions that it is a test of: ``(from, to)``."""
        return tuple((name, "tf" if name == "torch" else "torch") for name in self.frameworks)

    @property
    def is_twin(self) -> bool:
        """Whether it exists in both frameworks."""
        return len(self.frameworks) == 2

    def side(self, framework: str) -> Side:
        """Return the model in one framework.

        Raises:
            UsageError: there is no such framework, or the model does not exist in it.
        """
        if framework not in FRAMEWORKS:
            raise UsageError(
                f"unknown framework {framework!r}", hint=f"Choose one of: {', '.join(FRAMEWORKS)}."
            )
        side = getattr(self, framework)
        if side is None:
            raise UsageError(
                f"{self.name!r} does not exist in {framework!r}",
                hint=f"It exists in: {', '.join(self.frameworks)}.",
            )
        return side
