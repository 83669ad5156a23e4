"""Whether a program holds at sizes for which it was not traced.

`torch.export` writes down what a module does at one set of sizes, and the range in which it takes
that to be the same. Below the range a module may do something else: ``x[:3]`` has three rows for
any ``n`` from 3 on, and fewer below, and the program counts on three.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy
import torch
from torch.export.graph_signature import InputKind
from torch.utils._pytree import tree_leaves

from converter.trace.pytorch.examples import Example

_ASSERTIONS = ("_assert", "sym_constrain_range")
"""Names of operators that only repeat the range, which is what is asked about here."""

RTOL, ATOL = 1e-3, 1e-4
"""Two programs of one module may add up in another order; another branch differs by far more."""


class OtherShape(Exception):
    """A value has another shape than the program says."""


def holds_at(
    program: torch.export.ExportedProgram, fixed: torch.export.ExportedProgram, example: Example
) -> bool:
    """Tell whether a program with open sizes does at an example's sizes what the module does.

    Each value must have the shape that the program says for these sizes, and the results must be
    those of the module.

    Args:
        program: with open sizes.
        fixed: the module exported at the example's sizes.
        example: inputs of these sizes.
    """
    try:
        results = [results_of(one, example) for one in (program, fixed)]
    except Exception:  # whatever it is: the program cannot do this
        return False
    return len(results[0]) == len(results[1]) and all(map(same, *results))


def same(one: Any, other: Any) -> bool:
    """Tell whether two results have one shape and dtype, and the same numbers but for rounding."""
    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor):
        return bool(one == other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.allclose(one, other, rtol=RTOL, atol=ATOL, equal_nan=True)


def results_of(program: torch.export.ExportedProgram, example: Example) -> list[Any]:
    """Run a program; its demands of sizes are not asked.

    Raises:
        OtherShape: a value has another shape than the program says for these sizes.
    """
    arguments = list(_arguments(program, example))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return tree_leaves(_Checked(program, arguments).run(*arguments))


def _arguments(program: torch.export.ExportedProgram, example: Example) -> Iterator[Any]:
    """Yield what each placeholder gets. Buffers are copied: the program may change them."""
    leaves = iter(tree_leaves((example.args, example.kwargs)))
    held = {**program.constants, **program.state_dict}
    for spec in program.graph_signature.input_specs:
        if spec.kind == InputKind.USER_INPUT:
            leaf = next(leaves)
            yield leaf.clone() if isinstance(leaf, torch.Tensor) else leaf
        else:
            value = held[spec.target or ""]
            yield value.clone() if spec.kind == InputKind.BUFFER else value


class _Checked(torch.fx.Interpreter):
    """Runs a program and holds each value's shape against what the program says of it."""

    def __init__(self, program: torch.export.ExportedProgram, arguments: list[Any]) -> None:
        super().__init__(program.graph_module)
        self.sizes: dict[Any, Any] = {}
        placeholders = [node for node in program.graph.nodes if node.op == "placeholder"]
        for node, value in zip(placeholders, arguments, strict=True):
            said = getattr(node.meta.get("val"), "shape", ())
            for size, actual in zip(said, getattr(value, "shape", ()), strict=False):
                expression = _expression(size)
                if expression.is_symbol:
                    self.sizes.setdefault(expression, sympy.Integer(int(actual)))

    def run_node(self, node: torch.fx.Node) -> Any:
        if node.op == "call_function" and str(node.target).startswith(_names()):
            return None
        result = super().run_node(node)
        pairs = zip(tree_leaves(node.meta.get("val")), tree_leaves(result), strict=False)
        if node.op != "output" and not all(self.fits(said, value) for said, value in pairs):
            raise OtherShape(node.name)
        return result

    def fits(self, said: Any, value: Any) -> bool:
        if isinstance(said, torch.Tensor) and isinstance(value, torch.Tensor):
            return len(said.shape) == len(value.shape) and all(
                self.fits(size, int(actual))
                for size, actual in zip(said.shape, value.shape, strict=True)
            )
        if isinstance(said, int | torch.SymInt) and isinstance(value, int):
            size = _expression(said).xreplace(self.sizes)
            return not size.is_number or int(size) == int(value)  # else it depends on the data
        return True


def _names() -> tuple[str, ...]:
    return tuple(f"aten.{name}" for name in _ASSERTIONS) + _ASSERTIONS


def _expression(size: Any) -> Any:
    return size.node.expr if isinstance(size, torch.SymInt) else sympy.Integer(int(size))
