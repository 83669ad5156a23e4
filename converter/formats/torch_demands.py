"""What an exported program demands of sizes although it does not need it.

PyTorch's checks of memory layout ask whether a size is 1, and where the answer decides, the program
takes no other from then on: ``5 * n != 5`` shuts out one row. Mostly the program does for one row
what the module does all the same. Then the demand is dropped; where it does not, it stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from converter.signature import DimRange, Signature
from converter.sizes import fits
from converter.trace.pytorch import forked
from converter.trace.pytorch.examples import Example, from_signature
from converter.trace.pytorch.other_sizes import results_of, same

_SMALL = re.compile(r"^[^=<>!]+ (!= [^=<>!]+|> 1|>= 2)$")
"""A demand that shuts single sizes out, or 0 and 1."""

MOST = 32
"""Most choices of sizes that are tried."""


def without_unneeded(
    program: torch.export.ExportedProgram, module: torch.nn.Module, signature: Signature
) -> torch.export.ExportedProgram:
    """Drop demands that shut single sizes out, if the program does there what the module does.

    Args:
        signature: of the module's arguments, with the ranges of the open dimensions.
    """
    demands = list(getattr(program, "_guards_code", ()))
    single = [text for text in demands if _SMALL.match(text)]
    if not single:
        return program
    if forked.holds(lambda: all(_agrees(program, module, e) for e in _examples(module, signature))):
        program._guards_code = [text for text in demands if text not in single]
    return program


def _examples(module: torch.nn.Module, signature: Signature) -> Iterator[Example]:
    """Yield inputs of the smallest sizes that the signature allows."""
    words = signature.dynamic_dims()
    lowest = [signature.dims.get(word, DimRange()).minimum for word in words]
    choices = product(*(sorted({low, max(low, 1), 2, 3}) for low in lowest))
    for sizes in islice(choices, MOST):
        named = dict(zip(words, sizes, strict=True))
        if fits(signature, named):
            yield from_signature(module, signature, sizes=named)


def _agrees(
    program: torch.export.ExportedProgram, module: torch.nn.Module, example: Example
) -> bool:
    with torch.no_grad():
        wanted: list[Any] = tree_leaves(module(*example.args, **(example.kwargs or {})))
    given = results_of(program, example)
    return len(given) == len(wanted) and all(map(same, given, wanted))
