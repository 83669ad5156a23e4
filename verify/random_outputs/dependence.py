"""Which outputs depend on random numbers: read off the graph, or seen when a model runs again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from converter.graph.constants import constant_of
from verify.frozen import RANDOM
from verify.tolerance import RELATIVE

if TYPE_CHECKING:
    from verify.inputs import Case
    from verify.job import Job
    from verify.matching import Feed, View
    from verify.report.result import OutputComparison, Report

_NO_VALUES = frozenset({"Shape", "Size"})
"""What these give does not depend on the values that they read."""

SAME = 16.0
"""Times the table's limit by which two runs of one model on one device may differ: threads add up
in any order."""


@dataclass
class RandomParts:
    """Which of a job's outputs depend on random numbers.

    Attributes:
        names: by the report's name of the output, how that is known.
    """

    names: dict[str, str] = field(default_factory=dict)

    def read(self, graph: ir.Model, view: View, values: Mapping[str, Any]) -> str:
        """Read off a's graph which of its outputs draw; ``values`` are those by their names.

        Returns:
            What the user should know, draws whose output nobody can tell; else empty.
        """
        found = random_outputs(graph)
        shown = shown_names(graph, [*values])
        if found and shown is None:
            operators = ", ".join(sorted({name for draws in found.values() for name in draws}))
            return (
                f"a draws random numbers ({operators}), and its graph has other outputs than its "
                "runs: which of them depend on the draws is not known, and all are compared "
                "element by element"
            )
        self.names |= {(shown or {})[name]: ", ".join(draws) for name, draws in found.items()}
        return ""

    def unseen(
        self, job: Job, report: Report, cases: list[Case], feeds: list[Feed], views: list[View]
    ) -> bool:
        """Find outputs that differ although a does not even repeat itself; tell if there are some.

        That is how random outputs are known of a source without a graph, or whose graph does not
        show what it draws.
        """
        wrong = [
            (case, [name for name, item in run.outputs.items() if _differs(item)])
            for case, run in zip(cases, report.runs, strict=False)
        ]
        for case, names in wrong:
            if names and job.a.usable and job.b.usable:
                assert job.signature is not None
                inputs = case.inputs(job.signature)
                found = not_repeated(job, inputs, feeds, views, names)
                why = "a gives other numbers at each call"
                self.names |= dict.fromkeys(sorted(found), why)
                return bool(found)
        return False


def _differs(item: OutputComparison) -> bool:
    return not item.passed and not item.random and item.compared > 0


def shown_names(graph: ir.Model, values: Sequence[str]) -> dict[str, str] | None:
    """Return what a run calls each output of a graph: by name, else by position.

    Returns:
        ``None``: neither the names nor their number fit.
    """
    traced = [value.name or "" for value in graph.graph.outputs]
    if set(traced) <= set(values):
        return dict(zip(traced, traced, strict=True))
    return dict(zip(traced, values, strict=True)) if len(traced) == len(values) else None


def random_outputs(model: ir.Model) -> dict[str, tuple[str, ...]]:
    """Return the random operators that each output depends on, by output; others are left out."""
    return {name: tuple(sorted({draw.op_type for draw in draws}))
            for name, draws in drawing_nodes(model).items()}  # fmt: skip


def drawing_nodes(model: ir.Model) -> dict[str, list[ir.Node]]:
    """Return the nodes that draw random numbers for each output; others are left out."""
    found = {}
    for output in model.graph.outputs:
        if nodes := _drawing(output, model):
            found[output.name or ""] = nodes
    return found


def _drawing(value: ir.Value, model: ir.Model) -> list[ir.Node]:
    """Go backwards from a value, into bodies and model-local functions; collect what draws."""
    pending: list[ir.Value | None] = [value]
    seen: set[int] = set()
    found: list[ir.Node] = []
    while pending:
        value_now = pending.pop()
        node = value_now.producer() if value_now is not None else None
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if _draws(node):
            found.append(node)
        if node.op_type in _NO_VALUES and not node.domain:
            continue
        pending += list(node.inputs)
        function = model.functions.get(node.op_identifier())
        if function is not None:
            pending += list(function.outputs)
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                pending += list(attribute.as_graph().outputs)
            elif attribute.type == ir.AttributeType.GRAPHS:
                pending += [v for graph in attribute.as_graphs() for v in graph.outputs]
    return found


def _draws(node: ir.Node) -> bool:
    if node.domain not in ("", "ai.onnx"):
        return False
    if node.op_type == "Dropout" and len(node.inputs) > 2:
        training = constant_of(node.inputs[2])
        return training is None or bool(training.reshape(-1)[0])
    return node.op_type in RANDOM


def keeping_outputs(model: ir.Model, kept: Sequence[bool]) -> ir.Model:
    """Return a copy with some of the outputs, and what they need; the model where all are kept.

    Args:
        kept: of each output, in order.
    """
    if all(kept):
        return model
    from onnx_ir.passes.common import RemoveUnusedNodesPass

    from converter.graph.clean import keeping_weights

    copy = model.clone()
    with keeping_weights(copy):
        for index in reversed(range(len(kept))):
            if not kept[index]:
                del copy.graph.outputs[index]
        RemoveUnusedNodesPass()(copy)
    return copy


def not_repeated(
    job: Job, inputs: Mapping[str, np.ndarray], feeds: list[Feed], views: list[View],
    names: list[str],
) -> set[str]:  # fmt: skip
    """Run both sides twice on the same inputs; return the outputs that a gives other values of.

    For a source whose graph is not to be had, or does not show what it draws.
    """
    from verify.matching import under_one_name

    runs = []
    assert job.signature is not None
    for _ in range(2):
        results, failures = job.run_both(inputs, feeds)
        if failures:
            return set()
        runs.append(under_one_name(job.signature, views, results, job.options.rename)[0])
    first, second = runs
    return {name for name in names if name in first and not _same(first[name], second[name])}


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two results are one, up to the order in which threads add up."""
    from verify.arrays import dtype_name

    if one.shape != other.shape:
        return False
    dtype = dtype_name(one)
    if dtype not in RELATIVE:
        return bool(np.array_equal(one, other))
    wide = [x.astype(np.complex128 if one.dtype.kind == "c" else np.float64) for x in (one, other)]
    finite = np.isfinite(wide[0]) & np.isfinite(wide[1])
    peak = float(np.abs(wide[0]).max(initial=0.0, where=finite))
    apart = np.abs(np.subtract(wide[0], wide[1], out=np.zeros_like(wide[0]), where=finite))
    return bool(apart.max(initial=0.0) <= SAME * RELATIVE[dtype] * peak)
