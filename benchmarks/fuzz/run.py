"""Run one case: the source, its conversion, the result, and what is to be said of them."""

from __future__ import annotations

import re
import traceback
import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.fuzz.case import Case
from benchmarks.fuzz.judge import Difference, difference
from benchmarks.fuzz.kinds import FAILS, INVALID, NUMBERS, OK, REFUSED, SHAPE, UNTYPED
from benchmarks.fuzz.loading import framework_of, load

DRAWS = 8
"""Runs of the source with noise, after a first difference."""


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        kind: ``ok`` or one of the others above.
        cause: a short text, the same for the same cause.
        detail: all of it.
        hint: whether a refusal says what to do next.
    """

    kind: str
    cause: str = ""
    detail: str = ""
    hint: bool = False


def run_case(case: Case, reload: bool = False) -> Outcome:
    """Convert in this process without verification and compare.

    Args:
        reload: also write the result, load it again and compare that.
    """
    framework = framework_of(case.framework)
    try:
        model = load(case)
        runs = expected(case, model, framework)
    except Exception as error:
        return Outcome(INVALID, type(error).__name__, traceback.format_exc())
    if not runs:
        return Outcome(INVALID, "no size runs", "")
    import converter
    from converter.errors import EquiportError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = converter.convert(model, case.to, inputs=case.specs(), verify=False)
    except EquiportError as error:
        return refusal(error)
    except Exception as error:
        return Outcome(UNTYPED, cause_of(error), traceback.format_exc())
    return compare(case, model, framework, runs, Target(case, result))


def refusal(error: Any) -> Outcome:
    return Outcome(
        REFUSED, f"{type(error).__name__}: {plain(error.message)}", str(error), bool(error.hint)
    )


def plain(text: str) -> str:
    """Return a message without what differs from case to case."""
    text = " ".join(text.split())
    text = re.sub(r"0x[0-9a-f]+|'[^']*'|\b(?:in|v|m|s|u|node_\w+_?)\d+\b", "_", text)
    return re.sub(r"-?\d+(\.\d+)?", "#", text)[:160]


def cause_of(error: BaseException) -> str:
    """Return the type, and the last line of ours, of what was raised."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/converter/" in f.filename or "/verify/" in f.filename]
    where = ours[-1] if ours else frames[-1]
    short = re.sub(r".*/(converter|verify|site-packages)/", r"\1/", where.filename)
    return f"{type(root).__name__} at {short}:{where.name}: {plain(str(root))[:80]}"


def expected(case: Case, model: Any, framework: ModuleType) -> list[tuple[list, list]]:
    """Return inputs and results of the source, for each choice of sizes that it takes."""
    rng = np.random.default_rng(abs(hash_of(case.number)))
    runs = []
    for index, sizes in enumerate(case.sizes):
        inputs = [(item.values(sizes, rng), item.dtype) for item in case.inputs]
        try:
            framework.seeded()
            tensors = [framework.tensor(*item) for item in inputs]
            results = framework.call(model, tensors, case.form)
        except Exception:
            if index == 0:
                raise
            continue
        runs.append((inputs, results))
    return runs


def hash_of(text: str) -> int:
    import zlib

    return zlib.crc32(text.encode())


class Target:
    """The result of a conversion, called with arrays."""

    def __init__(self, case: Case, result: Any) -> None:
        self.to, self.result = case.to, result
        self.carried = [s.carried_as for s in result.signature.outputs]
        self.carried_in = [s.carried_as for s in result.signature.inputs]

    def __call__(self, inputs: list[tuple[np.ndarray, str]]) -> list[tuple[np.ndarray, str]]:
        """Return arrays and the names of their element types."""
        names = [spec.name for spec in self.result.signature.outputs]
        if self.to == "onnx":
            return run_onnx(self.result.model, inputs)
        framework = framework_of("torch" if self.to == "torch" else "tensorflow")
        tensors = [
            framework.tensor(array, carried or dtype)
            for (array, dtype), carried in zip(inputs, self.carried_in, strict=True)
        ]
        if self.to == "torch":
            import torch

            with torch.no_grad():
                results = self.result.model(*tensors)
        elif self.to == "keras":
            results = self.result.model(tensors if len(tensors) > 1 else tensors[0])
            if isinstance(results, dict):
                results = [results[name] for name in names]
        else:
            results = self.result.model(*tensors)
        results = list(results) if isinstance(results, list | tuple) else [results]
        return [(framework.array(r), framework.dtype(r)) for r in results]


def run_onnx(graph: Any, inputs: list[tuple[np.ndarray, str]]) -> list[tuple[np.ndarray, str]]:
    """Run a graph in ONNX's reference evaluator."""
    import onnx_ir as ir
    from onnx.reference import ReferenceEvaluator

    names = [v.name for v in graph.graph.inputs]
    session = ReferenceEvaluator(ir.serde.serialize_model(graph))
    results = session.run(None, {n: array for n, (array, _) in zip(names, inputs, strict=True)})
    return [(np.asarray(r), np.asarray(r).dtype.name) for r in results]


def compare(case: Case, model: Any, framework: ModuleType, runs: list, target: Target) -> Outcome:
    """Hold the target's results against the source's, at every size."""
    for which, (inputs, results) in enumerate(runs):
        where = f"sizes {dict(case.sizes[which]) if which < len(case.sizes) else which}"
        try:
            got = target(inputs)
        except Exception as error:
            if case.to == "onnx" and isinstance(error, NotImplementedError):
                return Outcome(OK, "onnx.reference has not got it", str(error))
            return Outcome(FAILS, cause_of(error), f"{where}\n{traceback.format_exc(limit=-6)}")
        wanted = [(framework.array(r), framework.dtype(r)) for r in results]
        if len(got) != len(wanted):
            return Outcome(SHAPE, "number of outputs", f"{len(got)} for {len(wanted)}")
        for index, ((mine, dtype), (yours, own)) in enumerate(zip(got, wanted, strict=True)):
            carried = target.carried[index] or own
            if case.to != "onnx" and dtype != carried:
                return Outcome(SHAPE, f"dtype {dtype} for {carried}", f"output {index}, {where}")
            if mine.shape != yours.shape:
                return Outcome(
                    SHAPE, "shape", f"{mine.shape} for {yours.shape}: output {index}, {where}"
                )
            if not difference(mine, yours, own, []):
                continue
            found = difference(mine, yours, own, noisy(case, framework, inputs, index))
            if found:
                return Outcome(NUMBERS, *told(found, index, where))
    return Outcome(OK)


def told(found: Difference, index: int, where: str) -> tuple[str, str]:
    return found.kind, f"output {index}, {where}: {found.text}"


def noisy(case: Case, framework: ModuleType, inputs: list, index: int) -> list[np.ndarray]:
    """Return one output of the source again, with every inexact result moved a little."""
    draws = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        move = framework.noise(rng)
        try:
            model = load(case, noise=move)
            framework.move_weights(model, rng)
            tensors = [move(framework.tensor(*item)) for item in inputs]
            results = framework.call(model, tensors, case.form)
        except Exception:  # a size that hangs on a value
            continue
        draws.append(framework.array(results[index]))
    return draws
