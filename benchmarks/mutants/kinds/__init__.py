"""The kinds of fault, a file per family; importing this fills `benchmarks.mutants.kind.KINDS`."""

from benchmarks.mutants.kinds import (
    activation,
    attention,
    convolution,
    integers,
    interface,
    normalisation,
    pooling,
    precision,
    recurrent,
    reduction,
    resize,
    shapes,
    weights,
)

__all__ = [
    "activation",
    "attention",
    "convolution",
    "integers",
    "interface",
    "normalisation",
    "pooling",
    "precision",
    "recurrent",
    "reduction",
    "resize",
    "shapes",
    "weights",
]
